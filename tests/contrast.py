"""How well what a page shows can be told from what is behind it, as Chromium draws it (WCAG 2.2, 1.4.3 and 1.4.11)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Of each shown element with a text of its own, and of each mark of a figure, the two colours, and what it is. A cell of
# a figure is a colour over the page's, a text in it stands after it.
LOOK = """() => {
  const parse = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, below) => [0, 1, 2].map(at => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const behind = element => {
    const found = [];
    for (let at = element; at; at = at.parentElement) found.push(parse(getComputedStyle(at).backgroundColor));
    return found.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const paint = (element, name) => {
    const style = getComputedStyle(element);
    if (style[name] === "none") return null;
    const [r, g, b, a] = parse(style[name]);
    return [r, g, b, a * Number(style[name + "Opacity"])];
  };
  const seen = [];
  const see = (kind, element, ink, paper) => {
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const said = element.textContent.trim().slice(0, 40);
    const name = `${element.tagName} ${element.getAttribute("class") ?? ""}: ${said}`;
    seen.push({kind: kind === "text" && large ? "large" : kind, name, ink: over(ink, paper), paper});
  };
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility() || element.matches("title, desc, style, script")) continue;
    const texts = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (element.namespaceURI.endsWith("svg")) {
      let paper = behind(element.closest("svg"));
      if (element.tagName === "text") {
        const cell = element.previousElementSibling;
        if (element.classList.contains("in")) paper = over(paint(cell, "fill"), paper);
        see("text", element, paint(element, "fill"), paper);
      } else if (element.matches(".reach, .point, .curve")) see("mark", element, paint(element, "stroke"), paper);
      else if (element.matches(".bit.through")) see("mark", element, paint(element, "fill"), paper);
    } else if (texts) see("text", element, parse(getComputedStyle(element).color), behind(element));
  }
  return seen;
}"""
LEAST = {"text": 4.5, "large": 3.0, "mark": 3.0}


def luminance(colour: list[float]) -> float:
    """Relative luminance of red, green and blue from 0 to 255."""
    parts = [one / 255 for one in colour[:3]]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: list[float], other: list[float]) -> float:
    """From 1, the same, to 21, black on white."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def look(page: "Page") -> list[dict[str, Any]]:
    """All that is shown: `kind` text, large or mark, `name`, `ink` and `paper`."""
    seen: list[dict[str, Any]] = page.evaluate(LOOK)
    return seen


def find_faint(seen: list[dict[str, Any]]) -> list[str]:
    """What is fainter than level AA allows, each with its ratio."""
    measured = [(one, ratio(one["ink"], one["paper"])) for one in seen]
    return sorted({f"{one['name']} {found:.2f}" for one, found in measured if found < LEAST[one["kind"]]})
