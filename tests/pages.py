# SPDX-License-Identifier: Apache-2.0
"""Pages opened in headless Chromium."""

from __future__ import annotations


class Page:
    """An open page, and all that it complained of or asked for."""

    def __init__(self, browser, file, **options) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def table(self, name: str) -> dict[str, str]:
        rows = self.page.locator(f"#{name} tr").all()
        return {
            row.locator("td").first.inner_text(): row.locator("td").last.inner_text()
            for row in rows
        }


def printed(value: float) -> float:
    return float(f"{value:.5g}")
