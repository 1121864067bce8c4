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


class SessionError(DreamkicksError):
    """A session can't be read or has no such dream."""


class Cancelled(Exception):
    """Somebody asked to stop. `steps` says how many denoising steps had really run."""

    def __init__(self, steps: int = 0) -> None:
        super().__init__(f"cancelled after {steps} steps")
        self.steps = steps
