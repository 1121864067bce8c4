"""The studio: the dream, its recipe, and the line that changes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

from PIL import Image
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from dreamkicks.catalogue.catalogue import OnProgress
from dreamkicks.errors import Cancelled, DreamkicksError, SessionError
from dreamkicks.painter.painter import OnStep, Step
from dreamkicks.session.report import REPORT
from dreamkicks.studio import Result, Studio
from dreamkicks.text import counted
from dreamkicks.tui.messages import Failed, Found, Indexing, Painted, Progress, Reported, Stopped
from dreamkicks.tui.request import Request, parse
from dreamkicks.tui.screens.results import ResultsScreen
from dreamkicks.tui.screens.tree import Choice, TreeScreen
from dreamkicks.tui.widgets.picture import Drawing, Picture
from dreamkicks.tui.widgets.prompt import Prompt
from dreamkicks.tui.widgets.recipe import Recipe
from dreamkicks.tui.widgets.status import Status


class StudioScreen(Screen[None]):
    """Paints and searches in a thread of its own, one thing at a time; everything it shows comes back as a message.

    The studio may be called by one thread only, so whatever changes the session waits until the work is done.
    """

    # Priority: Textual has its own ideas of tab and escape.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "stop", tooltip="stop what is under way", priority=True),
        Binding(
            "ctrl+a", "accept", "that's it", tooltip="that's it: name the brand, find the nearest shoes", priority=True
        ),
        Binding("ctrl+n", "new", "new", tooltip="a new random sneaker", priority=True),
        Binding("ctrl+z", "undo", "undo", tooltip="back to the dream before", priority=True),
        Binding("ctrl+y", "redo", "redo", tooltip="forward again", priority=True),
        Binding("ctrl+r", "recall", "recall", tooltip="bring this dream's recipe back into the line", priority=True),
        Binding("ctrl+t", "tree", "tree", tooltip="all dreams: go back to any and branch off", priority=True),
        Binding("ctrl+s", "report", "report", tooltip="save the dream's story as one HTML file", priority=True),
        Binding("tab", "suggest", show=False, tooltip="put a suggestion into the line", priority=True),
    ]

    def __init__(self, studio: Studio, drawing: Drawing) -> None:
        super().__init__()
        self._studio = studio
        self._drawing = drawing
        self._busy: str | None = None
        """What is under way."""
        self._asked = ""
        """The line that asked for it."""
        self._stop = threading.Event()
        self._result: tuple[int, Result] | None = None
        """The dream that was accepted last, and what was found for it."""
        self._suggestions: list[str] = []
        self._suggested = 0

    def compose(self) -> ComposeResult:
        history = [str(Request.of(dream)) for dream in self._studio.session.dreams.values()]
        yield Static(id="title")
        with Container(id="stage"):
            yield Picture(self._drawing)
            with VerticalScroll(id="side", can_focus=False):
                yield Recipe()
        yield Status()
        yield Prompt(history, placeholder="Say what should change")
        yield Static(id="hints")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        self._show_current()
        if self._studio.session.current is None:
            self.action_new()

    def on_unmount(self) -> None:
        self._stop.set()

    # ---------------------------------------------------------------- what people ask for

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        request = parse(event.value)
        if request.empty:
            return
        if not self._is_free():
            return
        event.input.value = ""
        self.query_one(Prompt).remember(event.value)
        self._paint(request, event.value)

    def action_new(self) -> None:
        if self._is_free():
            self._paint(Request(new=True, words=""))

    def action_accept(self) -> None:
        if self._is_free():
            tell = self._on_index(stop := threading.Event())

            def check() -> None:
                if stop.is_set():
                    raise Cancelled

            self._begin("naming and searching", stop, lambda: Found(self._studio.accept(on_progress=tell, check=check)))

    def action_report(self) -> None:
        if not self._is_free():
            return
        path = self._studio.session.folder / REPORT
        current = self._studio.session.current
        known = self._result[1] if self._result and current and self._result[0] == current.id else None

        def write() -> Message:
            self._studio.write_report(path, known)
            return Reported(path)

        if current is None:
            self._say("There is no dream to report yet.")
        else:
            self._begin("writing the report", threading.Event(), write)

    def action_undo(self) -> None:
        self._walk(self._studio.session.undo)

    def action_redo(self) -> None:
        self._walk(self._studio.session.redo)

    def action_recall(self) -> None:
        if self._studio.session.current is not None:
            self._recall(self._studio.session.current.id)

    def action_tree(self) -> None:
        if self._studio.session.dreams:
            self.app.push_screen(TreeScreen(self._studio.session, self._drawing), self._chosen)
        else:
            self._say("There is no dream yet.")

    def action_suggest(self) -> None:
        if self._suggestions:
            self.query_one(Prompt).put(self._suggestions[self._suggested % len(self._suggestions)])
            self._suggested += 1

    def action_stop(self) -> None:
        self._stop.set()
        self.query_one(Status).say("Stopping …")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._busy is not None if action == "stop" else True

    def _chosen(self, choice: Choice | None) -> None:
        if choice is None:
            return
        if choice.recall:
            self._recall(choice.number)
        else:
            self._walk(lambda: self._studio.session.fork(choice.number))

    def _recall(self, number: int) -> None:
        dream = self._studio.session.dream(number)
        self.query_one(Prompt).put(str(Request.of(dream)))
        now = self._studio.settings.model
        other = "" if dream.model == now else f"; Enter paints with {now}"
        self._say(f"The recipe of dream {number}, painted by {dream.model}{other}.")

    def _walk(self, step: Callable[[], object]) -> None:
        if not self._is_free():
            return
        try:
            step()
        except DreamkicksError as error:
            self._say(str(error))
        else:
            self._say("")
            self._show_current()

    # ---------------------------------------------------------------- work

    def _paint(self, request: Request, asked: str = "") -> None:
        self._asked = asked
        self.query_one(Recipe).expect(request.words or "a random sneaker")
        tell = self._on_step(stop := threading.Event())
        if request.new or self._studio.session.current is None:
            prompt = request.words or None
            self._begin("dreaming", stop, lambda: Painted(self._studio.imagine(prompt, request.seed, tell)))
        else:
            self._begin("changing", stop, lambda: Painted(self._studio.edit(request.words, request.seed, on_step=tell)))

    def _is_free(self) -> bool:
        if self._busy is not None:
            self.notify(f"Still {self._busy}. Wait for it, or stop it with Escape.", severity="warning", markup=False)
        return self._busy is None

    def _begin(self, what: str, stop: threading.Event, job: Callable[[], Message]) -> None:
        self._busy, self._stop = what, stop
        self._say(f"{what.capitalize()} …")
        self.refresh_bindings()
        self._work(job)

    @work(thread=True, exclusive=True, group="painting")
    def _work(self, job: Callable[[], Message]) -> None:
        try:
            message = job()
        except Cancelled as cancelled:
            message = Stopped(cancelled.steps)
        except DreamkicksError as error:
            message = Failed(str(error))
        self.post_message(message)

    def _on_step(self, stop: threading.Event) -> OnStep:
        def tell(step: Step) -> None:
            if stop.is_set():
                raise Cancelled(step.number)
            self.post_message(Progress(step))

        return tell

    def _on_index(self, stop: threading.Event) -> OnProgress:
        def tell(done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled
            self.post_message(Indexing(done, total))

        return tell

    def _end(self) -> None:
        self._busy, self._asked = None, ""
        self.refresh_bindings()

    # ---------------------------------------------------------------- what comes back

    @on(Progress)
    def _progressed(self, message: Progress) -> None:
        if self._stop.is_set():
            return
        step = message.step
        self.query_one(Status).progress(self._busy or "", step.number, step.total)
        if step.preview is not None:
            self.query_one(Picture).preview(step.preview)

    @on(Indexing)
    def _indexed(self, message: Indexing) -> None:
        if not self._stop.is_set():
            self.query_one(Status).progress("indexing the catalogue", message.done, message.total)

    @on(Painted)
    def _painted(self, message: Painted) -> None:
        self._end()
        self._say("")
        self._show_current(self._studio.remark)

    @on(Found)
    def _found(self, message: Found) -> None:
        self._end()
        dream = self._studio.session.current
        if dream is not None:
            self._result = dream.id, message.result
            self.app.push_screen(ResultsScreen(message.result, self._picture(), self._drawing))
        self._say("Accepted. Say what should change to dream on.")

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        self._end()
        self._say(f"The report is {message.path}")
        self.notify(self.query_one(Status).text, markup=False)  # the line may be too short for a path

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self._give_back()
        self._say(message.text, error=True)

    @on(Stopped)
    def _stopped(self, message: Stopped) -> None:
        self._give_back()
        steps = counted(message.steps, "step")
        self._say(f"Stopped after {steps}." if message.steps else "Stopped.")

    def _give_back(self) -> None:
        """Back to where things were: the picture, and the words if nothing was typed since."""
        prompt = self.query_one(Prompt)
        if self._asked and not prompt.value:
            prompt.put(self._asked)
        self._end()
        self._show_current()

    # ---------------------------------------------------------------- showing

    def _say(self, text: str, error: bool = False) -> None:
        self.query_one(Status).say(text, error)
        if error:
            self.notify(self.query_one(Status).text, severity="error", markup=False)

    def _show_current(self, remark: str | None = None) -> None:
        session = self._studio.session
        dream = session.current
        self.query_one(Picture).show(self._picture(), "" if dream is None else "The picture is lost.")
        self.query_one(Recipe).tell(dream, remark)
        place = "" if dream is None else f"dream {dream.id} of {len(session.dreams)}"
        self.query_one("#title", Static).update(Content.assemble(("dreamkicks", "bold $primary"), f"  {place}"))
        self._suggestions, self._suggested = self._studio.suggest(), 0
        hints = Content.assemble(
            ("try  ", "$primary"), ("   ".join(self._suggestions), "$soft"), ("   tab takes one", "$line")
        )
        self.query_one("#hints", Static).update(Content("") if dream is None else hints)

    def _picture(self) -> Image.Image | None:
        """The current dream's, if it can be read."""
        session = self._studio.session
        try:
            return None if session.current is None else session.picture(session.current)
        except SessionError as error:
            self._say(str(error), error=True)
            return None
