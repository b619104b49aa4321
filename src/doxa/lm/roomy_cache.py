"""Keys and values with room for a whole answer: a new token is written into place instead of copying all before it.

transformers' own dynamic cache concatenates at every step, which for many answers behind a long prompt moves gigabytes
a token: on two cores most of the time.
"""

from __future__ import annotations

from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """A dynamic layer whose buffers [batch, heads, room, head_dim] are made once; what is filled is a view of them."""

    def __init__(self, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room = room
        self._filled = 0
        self._buffers: tuple[Any, Any] | None = None
        self.shared: tuple[Any, Any] | None = None  # states [1, heads, tokens, head_dim] before those of all rows

    @property
    def shared_length(self) -> int:
        """Tokens that lie in `shared`."""
        return 0 if self.shared is None else int(self.shared[0].shape[-2])

    def get_seq_length(self) -> int:
        """Tokens so far, the shared ones among them."""
        return self.shared_length + self._filled

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that the next tokens may see, and the first one's place."""
        return self.get_seq_length() + query_length, 0

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Append states [batch, heads, tokens, head_dim]; returns the rows' own. Raises IndexError beyond the room."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self._filled + key_states.shape[-2]
        if end > self._room:
            raise IndexError(f"a cache with room for {self._room} tokens was given {end}")
        if self._buffers is None:
            shape = (*key_states.shape[:2], self._room)
            self._buffers = (
                key_states.new_empty((*shape, key_states.shape[-1])),
                value_states.new_empty((*shape, value_states.shape[-1])),
            )
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._filled : end] = states  # one row of states serves all rows of the batch
        self._filled = end
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def begin(self, keys: Any, values: Any, rows: int) -> None:
        """Fill with the states of one row [1, heads, tokens, head_dim], repeated for `rows` rows."""
        self.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))


def roomy_cache(model: Any, room: int) -> DynamicCache:
    """An empty cache for a model all of whose layers attend to everything before, with room for `room` tokens."""
    cache: Any = DynamicCache()
    cache.layers = [RoomyLayer(room) for _ in range(model.config.get_text_config().num_hidden_layers)]
    return cache  # type: ignore[no-any-return]
