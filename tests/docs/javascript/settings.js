// What Zensical has no options for. Labels break where their authors break them, and columns are close: a diagram that is
// wider than the page gets small letters. On a phone a diagram keeps its size, and scrolls.
{
  const initialize = mermaid.initialize;
  const useMaxWidth = innerWidth >= 700;
  mermaid.initialize = (settings) =>
    initialize({
      ...settings,
      flowchart: { useMaxWidth, wrappingWidth: 260, nodeSpacing: 30, rankSpacing: 40 },
      sequence: { ...settings.sequence, useMaxWidth, diagramMarginX: 0, actorMargin: 20 },
    });
  const style = document.createElement("style");
  style.textContent = "div.mermaid { overflow-x: auto; }";
  document.head.append(style);
}
