// What Zensical has no options for. Labels break where their authors break them, and columns are close: a diagram that is
// wider than the page gets small letters.
{
  const initialize = mermaid.initialize;
  mermaid.initialize = (settings) =>
    initialize({
      ...settings,
      flowchart: { wrappingWidth: 260, nodeSpacing: 30, rankSpacing: 40 },
      sequence: { ...settings.sequence, diagramMarginX: 0, actorMargin: 20 },
    });
}
