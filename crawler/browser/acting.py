"""Acting: the steps of a request, taken one after the other in its page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error, Locator, Page

from crawler.config.secrets import revealed
from crawler.errors import FetchError
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.rendered import PageFile
from crawler.web.steps import (
    Click,
    Evaluate,
    Fill,
    Pdf,
    Press,
    Screenshot,
    Scroll,
    Select,
    Step,
    Wait,
)

if TYPE_CHECKING:
    from crawler.browser.course import Course
    from crawler.browser.tab import Tab

_PATIENCE = 10_000  # milliseconds for an element to be there and ready
_LOOKS = 2  # without anything new, after which a scroll has reached the end
_SOON = 1000  # for one that may be missing
_DOWN = "() => { window.scrollTo(0, document.documentElement.scrollHeight); }"
_HEIGHT = "() => document.documentElement.scrollHeight"


async def act(tab: Tab, page: Page, course: Course) -> None:
    """Take the steps of a course; FetchError STEP_FAILED names the one that cannot be taken."""
    for number, step in enumerate(course.request.steps, start=1):
        try:
            await _taken(tab, page, course, step)
        except Error as error:
            if tab.gone:
                raise
            if getattr(step, "optional", False):
                continue
            said = str(error).partition("\n")[0]
            raise FetchError(
                f"step {number}, {type(step).__name__}: {said:.300}", Outcome.STEP_FAILED
            ) from error


async def _taken(tab: Tab, page: Page, course: Course, step: Step) -> None:
    match step:
        case Wait():
            await _wait(tab, page, course, step)
        case Click():
            await _click(tab, page, course, step)
        case Fill():
            await _one(page, step).fill(revealed(step.text), timeout=_time(step))
        case Select():
            await _one(page, step).select_option(step.value, timeout=_time(step))
            await tab.settle(course)
        case Press():
            if step.css is None:
                await page.keyboard.press(step.key)
            else:
                await _one(page, step).press(step.key, timeout=_time(step))
            await tab.settle(course)
        case Scroll():
            await _scroll(tab, page, course, step)
        case Evaluate():
            await page.evaluate(step.js)
            await tab.settle(course)
        case Screenshot():
            await _picture(page, course, step)
        case Pdf():
            data = await page.pdf(print_background=True)
            course.rendered.files.append(PageFile(f"{step.name}.pdf", "application/pdf", data))


def _one(page: Page, step: Any) -> Locator:
    return page.locator(step.css).first


def _time(step: Any) -> float:
    return _SOON if step.optional else _PATIENCE


async def _wait(tab: Tab, page: Page, course: Course, step: Wait) -> None:
    if step.css is not None:
        await page.locator(step.css).first.wait_for(state="attached", timeout=_time(step))
    if step.ms:
        await asyncio.sleep(step.ms / 1000)
    if step.idle:
        await tab.settle(course)


async def _click(tab: Tab, page: Page, course: Course, step: Click) -> None:
    """Click; after the first time a button that is gone has done its work."""
    found = _one(page, step)
    for turn in range(step.most):
        if turn and not await found.count():
            return
        try:
            await found.click(timeout=_SOON if turn else _time(step))
        except Error:
            if not turn or tab.gone:
                raise
            return
        await tab.settle(course)
    if step.most > 1 and await found.count():
        course.rendered.refuse(Refusal.BROWSER_STEPS)


async def _scroll(tab: Tab, page: Page, course: Course, step: Scroll) -> None:
    for _ in range(step.most):
        if step.until is not None and await page.locator(step.until).count():
            return
        before = await page.evaluate(_HEIGHT)
        for _ in range(_LOOKS):
            await page.evaluate(_DOWN)
            await tab.show()
            await tab.settle(course)
            if await page.evaluate(_HEIGHT) > before:
                break
        else:
            return
    course.rendered.refuse(Refusal.BROWSER_STEPS)


async def _picture(page: Page, course: Course, step: Screenshot) -> None:
    if step.css is None:
        data = await page.screenshot(full_page=True, timeout=_PATIENCE)
    else:
        data = await page.locator(step.css).first.screenshot(timeout=_PATIENCE)
    course.rendered.files.append(PageFile(f"{step.name}.png", "image/png", data))
