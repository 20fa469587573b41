"""What the page was started with, and the store's measurements as they are now."""

import threading
from dataclasses import replace

from psmodel.app import overlay
from psmodel.app.query import Settings
from psmodel.errors import UserError


class LiveSettings:
    """Settings whose measurements are read anew when the store has changed and somebody asks for them."""

    def __init__(self, settings: Settings) -> None:
        self.last = settings
        self._state = self.state
        self._reading = threading.Lock()

    @property
    def state(self) -> str:
        """Another text whenever the store may have changed; empty without a store."""
        return "" if self.last.store is None else overlay.state_of(self.last.store)

    def now(self) -> Settings:
        """The settings with the measurements of now, or of a moment ago while another request reads them."""
        store = self.last.store
        if store is None or (state := self.state) == self._state or not self._reading.acquire(blocking=False):
            return self.last
        try:
            self.last = replace(self.last, measured=overlay.read(store))
            self._state = state
        except UserError:  # taken away meanwhile: what was read before stays
            self._state = state
        finally:
            self._reading.release()
        return self.last
