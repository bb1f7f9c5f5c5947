/** Elements: what is put into one is text, never HTML, so that a hostile name stays a name. */

export type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: Event) => void);

/**
 * An element with attributes and children.
 *
 * `onclick` and the like take a function; true is an attribute without a value, and
 * false, null and undefined are none at all.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      made.addEventListener(name.replace(/^on/, ''), value);
    } else if (value === true) {
      made.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, String(value));
    }
  }
  made.append(...given(children));
  return made;
}

/** Have `element` hold these children and no others. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...given(children));
}

/** What of `element` takes the keyboard. */
function controls(element: Element): HTMLElement[] {
  return [...element.querySelectorAll<HTMLElement>('a[href], button, input, select, summary')];
}

/** The first of them that is there to be used, and not folded away. */
export function firstControl(element: Element): HTMLElement | undefined {
  return controls(element).find(each => each.checkVisibility() && !each.matches(':disabled'));
}

function nameOf(control: Element): string {
  return control.getAttribute('aria-label') ?? control.textContent ?? '';
}

/**
 * Have `draw` make anew what is in `element`, and leave the keyboard to whoever had it there:
 * at what is called the same, or at `otherwise` where that is gone. A browser would forget
 * them, and the dialog that they are in would hear no key any more.
 */
export function redraw(
  element: Element,
  draw: () => void,
  otherwise: () => HTMLElement | null
): void {
  const held = document.activeElement;
  if (held === null || !element.contains(held)) {
    draw();
    return;
  }
  draw();
  const same = controls(element).find(each => nameOf(each) === nameOf(held));
  (same ?? otherwise())?.focus();
}

function given(children: readonly Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => Boolean(child));
}

let last = 0;

/** An id that no other element of this page has. */
export function freshId(word: string): string {
  last += 1;
  return `authz-${word}-${last}`;
}

/** What the server says: what was typed stands in backticks there, and in a code element here. */
export function prose(text: string): Child[] {
  return text.split(/`([^`]*)`/).map((part, n) => (n % 2 === 1 ? h('code', {}, part) : part));
}

/** A control with its label above it. */
export function labelled(text: string, control: HTMLElement, hint?: HTMLElement): HTMLElement {
  control.id ||= freshId('field');
  if (hint) {
    hint.id ||= freshId('hint');
    control.setAttribute('aria-describedby', hint.id);
  }
  return h('div', { class: 'authz-field' }, h('label', { for: control.id }, text), control, hint);
}
