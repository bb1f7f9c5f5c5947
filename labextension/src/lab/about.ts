/** The dialog behind the status item and the badge. */
import { Dialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { accountLinks, standingPart, whoPart } from '../about.js';
import { askPart } from '../ask.js';
import type { Client } from '../client.js';
import { firstControl, h } from '../dom.js';
import type { Standings } from '../me.js';
import { contents, isGuest } from '../me.js';
import { WORDS } from '../words.js';

/** A dialog of the front end around `body`, with a name of its own and the focus in it. */
export async function dialog(
  title: string,
  body: HTMLElement | ((close: () => void) => HTMLElement),
  options: { focus?: string; buttons?: readonly Dialog.IButton[] } = {}
): Promise<Dialog.IResult<unknown>> {
  let close: () => void = () => undefined;
  const content =
    typeof body === 'function'
      ? body(() => {
          close();
        })
      : body;
  const widget = new Widget({ node: h('div', { class: 'authz-Dialog authz' }, content) });
  const made = new Dialog({
    title,
    body: widget,
    buttons: options.buttons ?? [Dialog.okButton({ label: WORDS.close })],
    hasClose: true,
    focusNodeSelector: options.focus ?? '.jp-Dialog-button'
  });
  close = (): void => {
    made.reject();
  };
  // With a widget for its body upstream's dialog has no name to be read out.
  made.node.querySelector('.jp-Dialog-content')?.setAttribute('aria-label', title);
  made.node.setAttribute('aria-label', title);
  // Upstream's dialog takes Enter in a field for its own button; a form of ours is sent.
  const keep = (event: KeyboardEvent): void => {
    const target = event.target;
    if (event.key === 'Enter' && target instanceof HTMLInputElement && target.form) {
      event.stopPropagation();
    }
    const last = [...made.node.querySelectorAll('.jp-Dialog-button')].at(-1);
    const first = firstControl(widget.node);
    if (event.key === 'Tab' && !event.shiftKey && target === last && first) {
      // Upstream would go on to the first that there is, be it folded away, and so nowhere.
      event.stopPropagation();
      event.preventDefault();
      first.focus();
    }
  };
  document.addEventListener('keydown', keep, true);
  try {
    return await made.launch();
  } finally {
    document.removeEventListener('keydown', keep, true);
    widget.dispose();
  }
}

/** Who I am, and what I may do with the document at `path` and in its kernel. */
export async function showAbout(
  client: Client,
  standings: Standings,
  path: string | null,
  kernel: string | null,
  openPage: () => void
): Promise<void> {
  const me = await standings.whoAmI();
  if (!me) {
    return;
  }
  const sections: HTMLElement[] = [whoPart(me)];
  const asked: [string, string][] =
    path === null ? [[WORDS.server, 'server:']] : [[WORDS.document(path), contents(path)]];
  if (kernel !== null) {
    asked.push([WORDS.kernel, `kernels:${kernel}`]);
  }
  for (const [title, resource] of asked) {
    const standing = await standings.of(resource);
    if (standing) {
      sections.push(standingPart(title, resource, standing));
      if (resource.startsWith('contents:') && standing.level !== 'admin' && !isGuest(me)) {
        sections.push(askPart(client, resource, standing.level));
      }
    }
  }
  await dialog(WORDS.statusTitle, close =>
    h(
      'div',
      {},
      ...sections,
      accountLinks(
        client,
        me,
        h(
          'a',
          {
            href: `${client.base}authz`,
            target: '_blank',
            rel: 'noopener',
            onclick: event => {
              event.preventDefault();
              close();
              openPage();
            }
          },
          WORDS.accessPage
        )
      )
    )
  );
}
