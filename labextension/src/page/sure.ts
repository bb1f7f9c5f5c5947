/** A question in the browser's own dialog, which traps and gives back the focus. */
import { freshId, h } from '../dom.js';
import { WORDS } from '../words.js';

export async function sure(title: string, sentence: string, yes: string): Promise<boolean> {
  const name = freshId('sure');
  const dialog = h(
    'dialog',
    { class: 'authz', 'aria-labelledby': name },
    h(
      'form',
      { method: 'dialog' },
      h('h2', { id: name }, title),
      h('p', {}, sentence),
      h(
        'p',
        { class: 'authz-row' },
        h('button', { value: '', autofocus: true }, WORDS.cancel),
        h('button', { value: 'yes', class: 'authz-main' }, yes)
      )
    )
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    });
  });
}
