// The page's elements by their data-testid: one set of names for the program, its tests and whoever scripts the page.

/**
 * @template {HTMLElement} T
 * @param {string} testId
 * @param {new () => T} type what it must be
 * @returns {T}
 */
export function element(testId, type) {
  const found = document.querySelector(`[data-testid="${testId}"]`);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} ${testId}.`);
  return found;
}

/** Shows text, or hides the element when there is none. @param {HTMLElement} target @param {string} text */
export function setText(target, text) {
  target.textContent = text;
  target.hidden = text === "";
}

/** Hands a file to the user, as if a link to it had been clicked. @param {Blob} file @param {string} name */
export function offerDownload(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
