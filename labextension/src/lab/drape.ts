/** Buttons of the front end that are no commands: grey where something is refused. */

/** Call `again` whenever what is in `place` is drawn: its maker knows nothing of a reason. */
export function onRedraw(place: Element, again: () => void): void {
  new MutationObserver(again).observe(place, {
    attributes: true,
    attributeFilter: ['disabled', 'title'],
    childList: true,
    subtree: true
  });
}

/** Make `button` grey for `reason`, or as it was where that is null. */
export function drape(button: HTMLElement, reason: string | null): void {
  const before = button.dataset.authzTitle;
  if (reason === null) {
    if (before !== undefined) {
      button.title = before;
      button.removeAttribute('disabled');
      delete button.dataset.authzTitle;
    }
    return;
  }
  // Only what differs is set, since each change is told to who watches for changes.
  button.dataset.authzTitle ??= button.title;
  if (!button.hasAttribute('disabled')) {
    button.setAttribute('disabled', '');
  }
  if (button.title !== reason) {
    button.title = reason;
  }
}
