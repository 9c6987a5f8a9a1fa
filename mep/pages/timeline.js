"use strict";

/** Add a button to each value that people copy; without a script the values are still there. */
function addCopyButtons(root) {
  for (const value of root.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "copy";
    button.setAttribute("aria-label", `copy ${value.dataset.copy}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(value.dataset.copy);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(value); // a file has no clipboard in some browsers: Ctrl-C copies it
      }
    });
    value.after(button);
  }
}

addCopyButtons(document);
