# SPDX-License-Identifier: Apache-2.0
"""Goal: everybody can use the page: by keyboard, by screen reader, on a phone, in light and dark, without motion.

Method: Chromium's own accessibility names, keys pressed one by one, and contrast computed from what is drawn (WCAG AA).
"""

from __future__ import annotations

import pytest
from support.events import tweets
from support.live_page import LivePage
from support.tested import Tested
from support.waiting import wait_for

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}

# Of every element with text of its own: that text, its contrast against what lies behind, and the least that AA allows.
CONTRASTS = """
() => {
  const channels = (color) => {
    const [r, g, b, a] = color.match(/[\\d.]+/g).map(Number);
    return {rgb: [r, g, b], alpha: a ?? 1};
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const {rgb, alpha} = channels(getComputedStyle(at).backgroundColor);
      if (alpha === 1) {
        return rgb;
      }
    }
    return channels(getComputedStyle(document.body).backgroundColor).rgb;
  };
  const opacity = (element) => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) {
      product *= Number(getComputedStyle(at).opacity);
    }
    return product;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    const style = getComputedStyle(element);
    if (!text || !element.checkVisibility() || element.closest(".unseen, svg, noscript, template")) {
      continue;
    }
    const back = behind(element);
    const alpha = opacity(element);
    const front = channels(style.color).rgb.map((c, i) => c * alpha + back[i] * (1 - alpha));
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([text, (light + 0.05) / (dark + 0.05), large ? 3 : 4.5]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def counted(make_module_mesh) -> Tested:
    mesh = make_module_mesh()
    assert mesh.client().post("/input", tweets(70)).status == 202
    mesh.judge.expect_equal(mesh.stream, 70)
    return mesh


def shown(open_page, mesh: Tested, **settings: object) -> LivePage:
    page = open_page(mesh.mesh.live_url, **settings)
    page.wait_status("Live")
    wait_for("the total", lambda: page.number(mesh.stream.name, "total") == 70)
    wait_for("exact", lambda: page.badge(mesh.stream.name) == "exact", 60)
    wait_for("programs", lambda: "kafka-consumer" in page.programs())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(counted, open_page, scheme: str) -> None:
    page = shown(open_page, counted, color_scheme=scheme, reduced_motion="reduce")
    page.groups(counted.stream.name)
    found = page.page.evaluate(CONTRASTS)
    assert len(found) > 40
    weak = [f"{text!r}: {ratio:.2f} < {least}" for text, ratio, least in found if ratio < least]
    assert not weak, "\n".join(weak)
    backs = page.page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(backs) < 384) == (scheme == "dark")


def test_a_page_that_is_not_live_can_still_be_read(counted, open_page) -> None:
    page = shown(open_page, counted, reduced_motion="reduce")
    page.page.click("#pause")
    page.wait_status("Paused")
    weak = [found for found in page.page.evaluate(CONTRASTS) if found[1] < found[2]]
    assert not weak


def test_roles_and_names_are_what_a_screen_reader_needs(counted, open_page) -> None:
    page = shown(open_page, counted).page
    name = counted.stream.name
    title = "Tweets about the weather"
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).inner_text().startswith("tweetmesh")
    assert page.get_by_role("region", name=title, exact=True).count() == 1
    assert page.get_by_role("status").first.inner_text() == "Live"
    assert page.get_by_role("button", name="Pause").get_attribute("aria-pressed") == "false"
    world = page.get_by_role("img", name="World map")
    assert "Guatemala" in (world.get_attribute("aria-label") or "")
    chart = page.get_by_role("slider", name="Events per second")
    assert chart.get_attribute("aria-valuetext")
    # What is not for the eyes alone has an alternative that is read.
    page.get_by_text("All countries as a table").click()
    table = page.locator(f'[data-stream="{name}"]').get_by_role("table")
    assert table.get_by_role("columnheader").all_inner_texts() == ["Country", "Count", "Share"]
    assert table.get_by_role("rowheader", name="Guatemala").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    # Nothing without a name can be reached.
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('a, button, summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility() && !(e.textContent.trim() || e.getAttribute('aria-label'))).length"
    )
    assert nameless == 0


def test_changing_numbers_are_not_read_out_all_the_time(counted, open_page) -> None:
    page = shown(open_page, counted).page
    live = page.evaluate(
        "() => [...document.querySelectorAll('[aria-live], [role=status], [role=alert], output')]"
        ".filter(e => e.getAttribute('aria-live') !== 'off').map(e => e.id)"
    )
    assert sorted(live) == ["spoken", "status"]
    changes = page.evaluate(
        "() => new Promise(done => { let n = 0;"
        "new MutationObserver(list => { n += list.length; }).observe(document.getElementById('status'),"
        "{childList: true, characterData: true, subtree: true});"
        "new MutationObserver(list => { n += list.length; }).observe(document.getElementById('spoken'),"
        "{childList: true, characterData: true, subtree: true}); setTimeout(() => done(n), 5000); })"
    )
    assert changes <= 1


def test_all_of_it_works_by_keyboard(counted, open_page) -> None:
    page = shown(open_page, counted).page
    focused = "() => document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label')"

    def tab() -> str:
        page.keyboard.press("Tab")
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", "whoever uses the keyboard does not see where he is"
        return page.evaluate(
            "() => document.activeElement.className + ' ' + document.activeElement.id"
        ) + page.evaluate(focused)

    assert "Skip to the numbers" in tab()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("() => document.activeElement.id") == "pause"
    page.keyboard.press("Space")
    assert page.inner_text("#status").startswith("Paused")
    page.keyboard.press("Space")
    assert page.get_attribute("#pause", "aria-pressed") == "false"
    assert "plot" in tab()
    first = page.get_attribute(".plot", "aria-valuetext")
    for key, value in (("ArrowLeft", "-1"), ("Home", "-299"), ("End", "0"), ("PageDown", "-30")):
        page.keyboard.press(key)
        assert page.get_attribute(".plot", "aria-valuenow") == value
    assert page.get_attribute(".plot", "aria-valuetext") != first
    assert "All countries" in tab()
    page.keyboard.press("Enter")
    assert page.locator(".all").get_attribute("open") is not None


def test_whoever_wants_less_motion_gets_none(counted, open_page) -> None:
    page = shown(open_page, counted, reduced_motion="reduce").page
    moving = page.evaluate(
        "() => [...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);"
        "return s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0; }).length"
    )
    assert moving == 0


@pytest.mark.parametrize("width", [320, 360, 768])
def test_it_fits_on_small_screens(counted, open_page, width: int) -> None:
    page = shown(open_page, counted, **(PHONE | {"viewport": {"width": width, "height": 740}}))
    page.groups(counted.stream.name)
    wide = page.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} px to scroll sideways"
    small = page.page.evaluate(
        "() => [...document.querySelectorAll('button, summary')].filter(e => e.checkVisibility())"
        ".map(e => e.getBoundingClientRect()).filter(box => box.height < 24 || box.width < 24).length"
    )
    assert small == 0, "too small for a thumb"
    assert page.page.locator(".map svg").bounding_box()["width"] <= width
