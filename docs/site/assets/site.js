// What the theme adds to a page, made usable from a keyboard and distinct for a screen reader.
const mend = () => {
  for (const buttons of document.querySelectorAll("nav.md-code__nav")) buttons.setAttribute("role", "none")
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset__table, .rooms, math[display=block], .md-typeset pre > code"))
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0
}
new MutationObserver(mend).observe(document.body, { childList: true, subtree: true })
addEventListener("resize", mend)
mend()
