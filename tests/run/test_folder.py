"""A run folder after real kills, torn lines, a second process and a full disk."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from doxa.errors import RunFolderError
from doxa.records import Usage
from doxa.run.folder import LineWriter, RunFolder, read_rows, write_rows, write_whole


def python(code):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"input_tokens":1,"output_tokens":0}\n{"input_tok')
    assert read_rows(file, Usage) == [Usage(input_tokens=1)]
    with LineWriter(file) as out:
        out.write(Usage(input_tokens=2))
    assert [row.input_tokens for row in read_rows(file, Usage)] == [1, 2]


def test_a_bad_line_in_the_middle_is_named(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"input_tokens":1}\n{"input_tokens":"many"}\n')
    with pytest.raises(RunFolderError, match=r"rows\.jsonl, line 2: input_tokens"):
        read_rows(file, Usage)


def test_rows_survive_kill_minus_nine(tmp_path):
    file = tmp_path / "rows.jsonl"
    writer = python(
        f"""
        from doxa.records import Usage
        from doxa.run.folder import LineWriter
        from pathlib import Path
        with LineWriter(Path({str(file)!r})) as out:
            for i in range(10**6):
                out.write(Usage(input_tokens=i))
                print(i, flush=True)
        """
    )
    for _ in range(20):
        said = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    with LineWriter(file):
        pass
    kept = [row.input_tokens for row in read_rows(file, Usage)]
    assert kept == list(range(len(kept)))
    assert len(kept) > said  # every row that was reported written is there


def test_a_whole_file_is_the_old_or_the_new_one_after_kills(tmp_path):
    file = tmp_path / "page.html"
    for seed in range(5):
        writer = python(
            f"""
            from doxa.run.folder import write_whole
            from pathlib import Path
            print("go", flush=True)
            while True:
                for letter in "ab":
                    write_whole(Path({str(file)!r}), letter * 200_000)
            """
        )
        writer.stdout.readline()
        time.sleep(0.05 + 0.03 * seed)
        writer.kill()
        writer.wait()
        content = file.read_text()
        assert content in ("a" * 200_000, "b" * 200_000)


def test_a_second_process_is_told_who_holds_the_folder(tmp_path):
    holder = python(
        f"""
        from doxa.run.folder import RunFolder
        from pathlib import Path
        import time
        with RunFolder(Path({str(tmp_path)!r})).lock():
            print("held", flush=True)
            time.sleep(60)
        """
    )
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(RunFolderError, match=f"in use by pid {holder.pid} on"), RunFolder(tmp_path).lock():
        pass
    holder.kill()
    holder.wait()
    with RunFolder(tmp_path).lock():  # a killed owner leaves nothing behind
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_line(tmp_path):
    file = tmp_path / "rows.jsonl"
    with LineWriter(file) as writer, open("/dev/full", "ab", buffering=0) as full:
        writer._handle.close()
        writer._handle = full
        with pytest.raises(RunFolderError, match=r"rows\.jsonl: the disk is full.*run the same command again"):
            writer.write(Usage())


def test_a_row_that_does_not_fit_leaves_the_file_whole(tmp_path):
    """A limit on the file's size stands in for a full disk: the write fails half way."""
    file = tmp_path / "rows.jsonl"
    code = f"""
        import resource, signal
        from doxa.errors import RunFolderError
        from doxa.run.folder import LineWriter
        from pathlib import Path
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        out = LineWriter(Path({str(file)!r}))
        out.write({{"n": 1}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            out.write({{"n": "x" * 500}})
        except (OSError, RunFolderError) as error:
            print(error)
    """
    process = python(code)
    said, _ = process.communicate(timeout=30)
    assert said
    assert file.read_text() == '{"n": 1}\n'


def test_writing_where_one_may_not_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_whole(tmp_path / "file" / "below.txt", "x")
    write_rows(tmp_path / "ok.jsonl", [Usage()])
    assert len(read_rows(tmp_path / "ok.jsonl", Usage)) == 1
