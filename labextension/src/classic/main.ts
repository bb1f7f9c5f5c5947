/** The classic notebook, which takes no part of JupyterLab: in its tool bar what one can do
 * with the notebook, and the way to share it; in its tree the way to the access page. */
import { Client } from '../client.js';
import { h } from '../dom.js';
import { canOf } from '../lab/rights.js';
import { contents, Standings } from '../me.js';
import { viewBar } from '../view.js';
import { watch } from '../watch.js';
import { badgeWord, canSentence, WORDS } from '../words.js';

/** Of nbclassic's own page, as far as this needs it. */
interface Classic {
  notebook?: { notebook_path: string; kernel?: { id?: string } | null };
}

/** Begin on this page; nbclassic calls it once the page is there. */
export function load(classic: Classic): void {
  const base = document.body.dataset.baseUrl ?? '/';
  const client = new Client(base);
  const standings = new Standings(client);
  const bar = document.querySelector('#maintoolbar-container');
  if (classic.notebook && bar) {
    bar.append(notebookPart(client, standings, classic.notebook));
  } else {
    document
      .querySelector('#header-container, .tree-buttons .pull-right')
      ?.append(link(`${base}authz`, WORDS.accessPage));
  }
  void standings.whoAmI().then(me => {
    if (me) {
      const looks = viewBar(client, me);
      if (looks) {
        document.body.prepend(looks);
      }
      void watch(client, standings, new AbortController().signal);
    }
  });
}

function link(address: string, word: string): HTMLElement {
  return h(
    'a',
    { class: 'btn btn-default btn-xs authz-link', href: address, target: '_blank' },
    word
  );
}

function notebookPart(
  client: Client,
  standings: Standings,
  notebook: NonNullable<Classic['notebook']>
): HTMLElement {
  const badge = link(`${client.base}authz#mine`, '');
  const share = link('', WORDS.share);
  const show = async (): Promise<void> => {
    const resource = contents(notebook.notebook_path);
    const kernel = notebook.kernel?.id;
    const [file, its] = await Promise.all([
      standings.of(resource),
      kernel === undefined ? null : standings.of(`kernels:${kernel}`)
    ]);
    share.setAttribute('href', `${client.base}authz#grants/${encodeURIComponent(resource)}`);
    if (file) {
      const can = canOf(file, its);
      badge.textContent = badgeWord(can);
      badge.title = canSentence(can);
    }
  };
  standings.onChange(() => void show());
  void show();
  return h(
    'div',
    { class: 'btn-group', role: 'group', 'aria-label': WORDS.category },
    badge,
    share
  );
}
