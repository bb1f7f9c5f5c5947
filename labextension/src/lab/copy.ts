/** "Save my copy…": what stands on the page goes to a file of one's own. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { h, labelled } from '../dom.js';
import { WORDS } from '../words.js';
import { dialog } from './about.js';

/** The name that a copy of `path` is offered. */
export function copyName(path: string, who: string): string {
  const name = PathExt.basename(path);
  const ending = PathExt.extname(name);
  return `${name.slice(0, name.length - ending.length)}-${who}${ending}`;
}

/** Ask where to, and save; whatever goes wrong is said, and the page keeps what it has. */
export async function saveCopy(
  app: JupyterFrontEnd,
  context: DocumentRegistry.Context,
  who: string
): Promise<void> {
  const field = h('input', {
    type: 'text',
    class: 'jp-mod-styled',
    value: copyName(context.path, who)
  });
  const result = await dialog(WORDS.saveCopyTitle, labelled(WORDS.saveCopyLabel, field), {
    focus: 'input',
    buttons: [Dialog.cancelButton({ label: WORDS.cancel }), Dialog.okButton({ label: WORDS.save })]
  });
  const path = field.value.trim();
  if (!result.button.accept || path === '') {
    return;
  }
  const manager = app.serviceManager.contents;
  const type = context.contentsModel?.type ?? 'file';
  try {
    // Asked first, so that no file of somebody's is written over.
    const there = await manager.get(path, { content: false }).then(
      () => true,
      () => false
    );
    if (there) {
      throw new Error(WORDS.copyThere(path));
    }
    await manager.save(path, {
      type,
      format: type === 'notebook' ? 'json' : 'text',
      content: type === 'notebook' ? context.model.toJSON() : context.model.toString()
    });
    Notification.success(WORDS.copySaved(path), { autoClose: 8000 });
  } catch (error) {
    Notification.error(error instanceof Error ? error.message : WORDS.broken, {
      autoClose: false
    });
  }
}
