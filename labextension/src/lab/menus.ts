/** In menus: a command that is refused says why where somebody points at it. */
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

/** Have each menu of the page do so; `refused` says of a command why, null where it is not. */
export function explainMenus(
  refused: (id: string, args: ReadonlyPartialJSONObject) => string | null
): void {
  const renderer = Menu.Renderer.prototype;
  // why: it is called on the renderer below
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const original = renderer.createItemARIA;
  renderer.createItemARIA = function (data: Menu.IRenderData) {
    const aria = original.call(this, data);
    const title = data.item.type === 'command' ? refused(data.item.command, data.item.args) : null;
    // What is given here are the item's attributes; upstream's has no other for it.
    return title === null ? aria : Object.assign(aria, { title });
  };
}
