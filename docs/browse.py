"""Walk through the built pages in a browser: links, search, narrow windows, accessibility.

    python docs/browse.py docs/_build/html

needs ``pip install playwright axe-playwright-python`` and ``playwright install chromium``, or
``CHROMIUM``, the path of a browser. It ends with an error where something is found.
"""

import os
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from threading import Thread

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

SERIOUS = ("serious", "critical")
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 900}
# Blocks of code that scroll sideways, where they can be seen.
SCROLLS = """[...document.querySelectorAll("div.highlight pre")]
    .filter(block => block.offsetParent && block.scrollWidth > block.clientWidth + 1).length"""
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *args):
        """Say nothing."""


def walk(browser, address, pages):
    """Yield what is wrong with each page, wide and narrow, light and dark."""
    for page in pages:
        for scheme in ("light", "dark"):
            for size in (WIDE, NARROW):
                tab = browser.new_page(viewport=size, color_scheme=scheme)
                errors = []
                tab.on("pageerror", errors.append)
                tab.goto(f"{address}/{page}")
                where = f"{page}, {size['width']} pixels, {scheme}"
                yield from (f"{where}: {error}" for error in errors)
                if tab.evaluate(TOO_WIDE):
                    yield f"{where}: the page scrolls sideways"
                if size is WIDE:
                    if tab.evaluate(SCROLLS):
                        yield f"{where}: a block of code scrolls sideways"
                    for found in Axe().run(tab).response["violations"]:
                        if found["impact"] in SERIOUS:
                            element = found["nodes"][0]["html"][:200]
                            yield f"{where}: {found['help']} ({len(found['nodes'])}): {element}"
                tab.close()


def follow(browser, address):
    """Yield what goes wrong with the links of the first page, and with the search."""
    tab = browser.new_page(viewport=WIDE)
    tab.goto(f"{address}/index.html")
    links = tab.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href)")
    ours = sorted({link for link in links if link.startswith(address)})
    for link in ours:
        answer = tab.goto(link)
        if answer is not None and not answer.ok:
            yield f"{link}: {answer.status}"
        _, _, anchor = link.partition("#")
        if anchor and not tab.evaluate("id => !!document.getElementById(id)", anchor):
            yield f"{link}: there is no such place on the page"
    print(f"{len(ours)} links of the first page")
    tab.goto(f"{address}/search.html?q=new+users")
    tab.wait_for_selector("#search-results li", timeout=20_000)
    results = tab.locator("#search-results li")
    print(f"{results.count()} results of a search, the first: {results.first.inner_text()[:60]!r}")
    results.first.locator("a").first.click()
    if "new users" not in tab.inner_text("article").lower():
        yield "the first result of a search for new users does not speak of them"
    tab.close()


def main():
    """Serve the pages, and walk through them."""
    root = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    pages = [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*.html"))
        if not path.relative_to(root).parts[0].startswith(("_", "genindex", "search"))
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"]
        )
        found = 0
        for wrong in chain(follow(browser, address), walk(browser, address, pages)):
            print(wrong, flush=True)
            found += 1
        browser.close()
    print(f"{len(pages)} pages, {found} things wrong")
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
