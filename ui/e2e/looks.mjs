/** What a machine can tell of how a page looks. */

/** Waits until what was to be drawn is drawn: fonts are there, and two frames have passed. */
export function settled(page) {
  return page.evaluate(async () => {
    await document.fonts.ready;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  });
}

/** What is wider than the screen, and text whose end is hidden where it cannot be scrolled to and no title says it. */
export function cutOff(page) {
  return page.evaluate(() => {
    const MOST = 5;
    const root = document.documentElement;
    const found = root.scrollWidth > root.clientWidth ? [`the page is ${root.scrollWidth} wide, the screen ${root.clientWidth}`] : [];
    const scrolls = ({ overflowX }) => overflowX === "auto" || overflowX === "scroll";
    const hides = ({ overflowX }) => overflowX === "hidden" || overflowX === "clip";
    // For those who listen, or not drawn at all.
    const isUnseen = (element) => element.closest(".offscreen, .skip, [hidden], svg, option, select, dialog:not([open])") !== null || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    /** The edges beyond which nothing of it is drawn, as far as one cannot scroll there. */
    const hiddenBehind = (element, rect) => {
      for (let at = element; at && at !== document.body; at = at.parentElement) {
        const style = getComputedStyle(at);
        if (scrolls(style)) return null;
        const edge = at.getBoundingClientRect();
        if (hides(style) && edge.width > 2 && (rect.right > edge.right + 1.5 || rect.left < edge.left - 1.5)) return at;
        if (style.position === "fixed") return null;
      }
      return rect.right > root.clientWidth + 1.5 || rect.left < -1.5 ? root : null;
    };
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let node = nodes.nextNode(); node && found.length < MOST; node = nodes.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || isUnseen(element) || element.closest("[title]")) continue;
      range.selectNodeContents(node);
      const rect = range.getBoundingClientRect();
      const behind = rect.width === 0 ? null : hiddenBehind(element, rect);
      if (behind) found.push(`cut off: "${node.data.trim().slice(0, 60)}" in ${element.tagName.toLowerCase()}.${[...element.classList].join(".")}`);
    }
    return found;
  });
}
