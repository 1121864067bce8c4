"""Everything that can go wrong, as one tree.

    DreamkicksError
    ├── PromptError           the words can't be used
    ├── PictureError          a picture can't be read
    ├── StorageError          the disk is full, read-only or out of reach
    ├── PainterError          painting failed
    │   ├── UnknownPreset     no preset of that name
    │   └── ModelMissing      the preset's weights are not on this machine
    ├── EncoderError          the encoder can't be loaded or used
    ├── WeightsError          a weights file is missing or damaged
    ├── CatalogueError        the catalogue can't be used
    │   ├── CatalogueBusy     another process is writing to it
    │   └── CatalogueTooNew   a newer dreamkicks wrote it
    ├── StoreError            a shop can't be asked, or its answer can't be used
    │   ├── NotAllowed        a request that is never made: off the allow-list, a private address, robots.txt
    │   ├── FetchFailed       one address gave no useful answer
    │   └── StoreClosed       a shop is not asked again in this run
    │       └── BudgetSpent   no shop is
    └── SessionError          a session can't be read or has no such dream

    Cancelled                 somebody asked to stop; not an error

Each message is one line that says what is wrong, with which thing, and what to do.
"""


class DreamkicksError(Exception):
    """Base of all errors that are shown to people as one line."""


class PromptError(DreamkicksError):
    """The words can't be used: empty, too long."""


class PictureError(DreamkicksError):
    """A picture can't be read: missing, empty, truncated, too large, not a picture."""


class StorageError(DreamkicksError):
    """The disk is full, read-only or out of reach."""


class PainterError(DreamkicksError):
    """Painting failed: out of memory, a pipeline that doesn't fit."""


class UnknownPreset(PainterError):
    """No preset has that name."""


class ModelMissing(PainterError):
    """The weights of a preset are not on this machine."""


class EncoderError(DreamkicksError):
    """The encoder can't be loaded or used."""


class WeightsError(DreamkicksError):
    """A weights file is missing or damaged."""


class CatalogueError(DreamkicksError):
    """The catalogue can't be used."""


class CatalogueBusy(CatalogueError):
    """Another process is writing to the catalogue."""


class CatalogueTooNew(CatalogueError):
    """A newer version wrote the catalogue."""


class StoreError(DreamkicksError):
    """A shop can't be asked, or its answer can't be used."""


class NotAllowed(StoreError):
    """A request that is never made: off the allow-list, to a private address, forbidden by robots.txt."""


class FetchFailed(StoreError):
    """One address gave no useful answer. `lasting` when asking again soon would be no use; `status` as HTTP has it, 0 if none."""

    def __init__(self, message: str, *, lasting: bool, status: int = 0) -> None:
        super().__init__(message)
        self.lasting = lasting
        self.status = status


class StoreClosed(StoreError):
    """A shop is not asked again in this run: it rejects us, it is down, the budget is spent."""


class BudgetSpent(StoreClosed):
    """No shop is asked again in this run: it has made as many requests as it may."""


class SessionError(DreamkicksError):
    """A session can't be read or has no such dream."""


class Cancelled(Exception):
    """Somebody asked to stop. `steps` says how many denoising steps had really run."""

    def __init__(self, steps: int = 0) -> None:
        super().__init__(f"cancelled after {steps} steps")
        self.steps = steps
