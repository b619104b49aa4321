import pytest
import torch
import torch.nn.functional as F

from doxa.training.loss import linear_cross_entropy, linear_token_losses


def problem(tokens: int = 37, hidden: int = 24, vocab: int = 101, scale: float = 1.0):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(tokens, hidden, generator=generator).requires_grad_()
    weight = (scale * torch.randn(vocab, hidden, generator=generator)).requires_grad_()
    labels = torch.randint(0, vocab, (tokens,), generator=generator)
    labels[[0, 5, 6, tokens - 1]] = -100
    return x, weight, labels


def gradients(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize("chunk", [1, 4, 11, 33, 1000, None])
def test_equals_cross_entropy_whatever_the_chunk(chunk):
    x, weight, labels = problem()
    expected = F.cross_entropy(x @ weight.t(), labels, reduction="sum")
    found = linear_cross_entropy(x, weight, labels, chunk=chunk)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)
    # another factor than 1 shows that the incoming gradient is used
    for ours, theirs in zip(gradients(found * 0.3, x, weight), gradients(expected * 0.3, x, weight), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_bf16_stays_close_to_fp32_even_at_large_scores():
    x, weight, labels = problem(tokens=300, hidden=64, vocab=1000, scale=0.5)
    expected = linear_cross_entropy(x, weight, labels)
    found = linear_cross_entropy(x, weight, labels, precision="bf16")
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0)
    for ours, theirs in zip(gradients(found, x, weight), gradients(expected, x, weight), strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_any_label_the_loss_and_gradients_are_zero(precision):
    x, weight, labels = problem()
    loss = linear_cross_entropy(x, weight, torch.full_like(labels, -100), precision=precision)
    assert loss.item() == 0
    assert all(gradient.abs().max() == 0 for gradient in gradients(loss, x, weight))


def test_a_hopeless_label_gives_a_large_but_finite_loss():
    x = torch.ones(1, 8)
    weight = torch.zeros(3, 8)
    weight[0], weight[1] = 30, -30
    loss = linear_cross_entropy(x, weight, torch.tensor([1]), precision="bf16")
    torch.testing.assert_close(loss, torch.tensor(480.0))


def test_keeps_batch_shapes_and_leaves_a_frozen_weight_alone():
    x, weight, labels = problem(tokens=36)
    batch = x.detach().view(4, 9, -1).requires_grad_()
    frozen = weight.detach()
    loss = linear_cross_entropy(batch, frozen, labels.view(4, 9))
    loss.backward()
    assert batch.grad is not None
    assert batch.grad.shape == batch.shape
    assert batch.grad[0, 0].abs().max() == 0  # an ignored position
    assert frozen.grad is None


def test_no_tensor_of_tokens_by_vocabulary_is_made(monkeypatch):
    sizes: list[int] = []
    softmax = torch.softmax
    monkeypatch.setattr(torch, "softmax", lambda x, dim, out: sizes.append(len(x)) or softmax(x, dim, out=out))
    x, weight, labels = problem()
    linear_cross_entropy(x, weight, labels, chunk=10).backward()
    assert sizes == [10, 10, 10, 3]


def test_autocast_changes_nothing():
    x, weight, labels = problem()
    expected = linear_cross_entropy(x, weight, labels)
    with torch.autocast("cpu", torch.bfloat16):
        found = linear_cross_entropy(x, weight, labels)
    assert torch.equal(found, expected)
    assert torch.equal(*(gradients(loss, x)[0] for loss in (found, expected)))


def test_nothing_is_differentiated_when_nobody_asks():
    x, weight, labels = problem()
    with torch.no_grad():
        loss = linear_cross_entropy(x, weight, labels)
    assert not loss.requires_grad


@pytest.mark.parametrize("tokens", [3, 37, 700])
def test_one_loss_for_each_label_with_gradients_as_it_counts(tokens):
    x, weight, labels = problem(tokens=max(tokens, 8))
    counts = torch.randn(len(labels), generator=torch.Generator().manual_seed(3))
    expected = F.cross_entropy(x @ weight.t(), labels, reduction="none")
    found = linear_token_losses(x, weight, labels)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)
    assert found[labels == -100].abs().max() == 0
    for ours, theirs in zip(
        gradients((found * counts).sum(), x, weight), gradients((expected * counts).sum(), x, weight), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_losses_of_labels_keep_the_shape_and_close_to_fp32_in_bf16():
    x, weight, labels = problem(tokens=300, hidden=64, vocab=1000, scale=0.5)
    weight = weight.detach()
    found = linear_token_losses(x.view(3, 100, -1), weight, labels.view(3, 100), precision="bf16")
    assert found.shape == (3, 100) and found.dtype == torch.float32
    expected = linear_token_losses(x, weight, labels)
    torch.testing.assert_close(found.flatten(), expected, rtol=2e-2, atol=0.1)
    (ours,), (theirs,) = gradients(found.square().sum(), x), gradients(expected.square().sum(), x)
    assert (ours - theirs).norm() < 0.03 * theirs.norm()
    assert linear_token_losses(x, weight, torch.full_like(labels, -100)).abs().max() == 0
