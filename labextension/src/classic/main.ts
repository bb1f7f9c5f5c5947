/** The classic notebook, which takes no part of JupyterLab: in its tool bar what one can do
 * with the notebook, and the way to share it; below it what has changed while the page was
 * open and what was refused; in its tree the way to the access page. */
import { signInAddress } from '../about.js';
import { Client } from '../client.js';
import { h } from '../dom.js';
import { endOf } from '../ended.js';
import { canOf } from '../lab/rights.js';
import { contents, isGuest, refusedBecause, Standings } from '../me.js';
import type { Notice, Seen } from '../notice.js';
import { noticeOf } from '../notice.js';
import { viewBar, viewedSentence } from '../view.js';
import { found, watch } from '../watch.js';
import { whyPart } from '../why.js';
import { badgeWord, brief, canSentence, WORDS } from '../words.js';
import { Cells } from './cells.js';
import { Closes } from './closes.js';
import type { About } from './greys.js';
import { Greys } from './greys.js';
import type { Classic, Dialogs, JQuery, Session } from './jupyter.js';
import { baseUrl } from './jupyter.js';
import { Notices, sized } from './notices.js';
import { Text } from './text.js';
import { ClassicRefusals } from './refusals.js';
import style from '../../style/parts.css';

/** What nbclassic says when a kernel is gone. */
const OVER = 'kernel_dead.Kernel kernel_killed.Kernel kernel_killed.Session';

/** Begin on this page; nbclassic calls it once the page is there. */
export function load(classic: Classic, jquery: JQuery, dialogs: Dialogs): void {
  const base = baseUrl(document.body.dataset);
  const client = new Client(base);
  const standings = new Standings(client);
  const notices = new Notices();
  document.head.append(h('style', {}, style));
  document.querySelector('#header')?.append(notices.node);
  const refusals = new ClassicRefusals(base, jquery, dialogs, classic.notebook, notices, refusal =>
    whyPart(client, standings, refusal)
  );
  refusals.listen();
  const kernels = new Map<string, string>();
  const greys = new Greys(
    standings,
    () => aboutOf(classic, jquery, kernels),
    refusal => {
      refusals.tell(refusal);
    }
  );
  greys.begin();
  if (classic.notebook) {
    const { events, keyboard_manager: keys } = classic.notebook;
    const cells = new Cells(classic.notebook, () => greys.frozen);
    greys.onLook = () => {
      cells.look();
    };
    cells.begin();
    if (keys) {
      greys.guard(keys.actions);
    }
    events?.on('kernel_ready.Kernel', () => void greys.mark());
  }
  jquery(document).ajaxSuccess((_, answer, asked) => {
    if (/\/api\/sessions(\?|$)/.test(asked.url ?? '') && asked.type !== 'POST') {
      // The list of what runs has been drawn for it.
      keep(kernels, answer.responseJSON);
      void greys.mark();
    }
  });
  // It may have been asked for before this could hear the answer.
  classic.session_list?.load_sessions();
  const bar = document.querySelector('#maintoolbar-container');
  if (classic.notebook && bar) {
    const part = new NotebookPart(client, standings, classic.notebook, notices, refusals);
    bar.append(part.node);
    part.begin();
  } else {
    const place = document.querySelector<HTMLElement>(
      '#header-container, .tree-buttons .pull-right'
    );
    if (place) {
      const path = document.body.dataset.filePath;
      if (path !== undefined) {
        const text = new Text(
          standings,
          contents(path),
          link(`${base}authz#mine`, '', 'btn-sm navbar-btn')
        );
        greys.onLook = () => {
          text.look();
        };
        place.append(text.badge);
      }
      const page = link(`${base}authz`, WORDS.accessPage, 'btn-sm navbar-btn');
      void standings.whoAmI().then(me => {
        if (isGuest(me)) {
          signIn(page, client);
        }
      });
      place.append(page);
      // On a telephone there is no room for one more in its line.
      place.style.flexWrap = 'wrap';
      sized();
    }
  }
  void found(standings, () => notices.tell(WORDS.silent, 'lost')).then(me => {
    if (me) {
      const looks = viewBar(client, me);
      if (looks) {
        document.body.prepend(looks);
      }
      document.querySelector('#header')?.append(viewedPart(standings));
      void watch(client, standings, new AbortController().signal);
    }
  });
}

/** What this page is about: a notebook, a file in the editor, or a list of files. */
function aboutOf(
  { notebook }: Classic,
  jquery: JQuery,
  kernels: ReadonlyMap<string, string>
): About {
  const entry = (node: Element): string =>
    contents((jquery(node.closest('.list_item') ?? node).data('path') ?? '') as string);
  const { filePath, notebookPath = '' } = document.body.dataset;
  const path = notebook?.notebook_path ?? filePath;
  if (path === undefined) {
    const ticked = [...document.querySelectorAll('#notebook_list .list_item')].filter(
      each => each.querySelector('input:checked') !== null
    );
    return {
      folder: contents(decodeURIComponent(notebookPath)),
      ticked: ticked.map(entry),
      kernels,
      entry
    };
  }
  const id = notebook?.kernel?.id;
  return {
    file: contents(path),
    ...(id === undefined ? {} : { kernel: `kernels:${id}` }),
    folder: contents(path.slice(0, Math.max(0, path.lastIndexOf('/')))),
    ticked: [],
    kernels,
    entry
  };
}

/** Keep in `kernels` which kernel runs for which document, from an answer with all sessions. */
function keep(kernels: Map<string, string>, sessions: unknown): void {
  kernels.clear();
  // Of several for one document the list has the last as well.
  for (const { path, kernel } of (Array.isArray(sessions) ? sessions : []) as Session[]) {
    if (path !== undefined && kernel?.id !== undefined) {
      kernels.set(contents(path), `kernels:${kernel.id}`);
    }
  }
}

/** Who looks around as oneself, for as long as they do. */
function viewedPart(standings: Standings): HTMLElement {
  const part = h('p', { role: 'status', class: 'alert alert-info', style: 'margin: 0' });
  const say = (): void => {
    part.textContent = standings.me ? viewedSentence(standings.me) : '';
    part.hidden = part.textContent === '';
    sized();
  };
  standings.onChange(say);
  say();
  return part;
}

/** A link that looks like the buttons beside it; `kind` is Bootstrap's name of their size. */
function link(address: string, word: string, kind = 'btn-xs'): HTMLElement {
  return h(
    'a',
    { class: `btn btn-default ${kind} authz-link`, href: address, target: '_blank' },
    word
  );
}

/** Have `made` lead a guest, to whom no other page is shown, to the way in. */
function signIn(made: HTMLElement, client: Client): void {
  made.setAttribute('href', signInAddress(client));
  made.removeAttribute('target');
  made.textContent = WORDS.signIn;
}

/** Follows the rights on the notebook of this page. */
class NotebookPart {
  readonly node: HTMLElement;
  private readonly badge: HTMLElement;
  private readonly share = link('', WORDS.share);
  private readonly ended = new Set<string>();
  private readonly closes = new Closes(
    text => {
      this.tell({ text, lost: true, offers: false });
    },
    () => {
      this.standings.forget();
    }
  );
  private before: (Seen & { resource: string }) | null = null;
  private asked = 0;

  constructor(
    private readonly client: Client,
    private readonly standings: Standings,
    private readonly notebook: NonNullable<Classic['notebook']>,
    private readonly notices: Notices,
    private readonly refusals: ClassicRefusals
  ) {
    this.badge = link(`${client.base}authz#mine`, '');
    this.node = h(
      'div',
      // Until the server has said what there is to show.
      { class: 'btn-group', role: 'group', 'aria-label': WORDS.category, style: 'display: none' },
      this.badge,
      this.share
    );
  }

  begin(): void {
    const again = (): void => void this.update();
    this.standings.onChange(again);
    this.notebook.events?.on('kernel_ready.Kernel', again);
    this.notebook.events?.on('kernel_connected.Kernel', (_, about) => {
      this.closes.heed(about?.kernel);
    });
    this.closes.heed(this.notebook.kernel);
    this.notebook.events?.on(
      OVER,
      () => void this.tellEnd(this.kernelId ?? this.before?.kernelId)
    );
    again();
  }

  private async update(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const resource = contents(this.notebook.notebook_path);
    const { kernelId } = this;
    const [file, kernel] = await Promise.all([
      this.standings.of(resource),
      kernelId === null ? null : this.standings.of(`kernels:${kernelId}`)
    ]);
    this.share.setAttribute(
      'href',
      `${this.client.base}authz#grants/${encodeURIComponent(resource)}`
    );
    if (!file || mine !== this.asked) {
      return;
    }
    if (isGuest(this.standings.me)) {
      signIn(this.share, this.client);
      this.badge.removeAttribute('href');
    }
    this.node.style.display = '';
    const reason = refusedBecause(file, 'launch');
    if (reason !== null) {
      // Its kernel is asked for while this page still loads.
      this.refusals.expect('launch', resource, reason);
    }
    this.closes.look(this.notebook.kernel, kernel);
    const can = canOf(file, kernel);
    this.badge.textContent = badgeWord(can);
    this.badge.title = canSentence(can);
    const before = this.before;
    this.before = { can, kernelId, lacks: kernel?.more_at_restart === true, resource };
    if (before?.resource === resource) {
      const notice = noticeOf(this.name, before, this.before);
      if (notice) {
        this.tell(notice);
      }
      if (before.can.runSaved && !can.runSaved) {
        // Right after a start no answer has told of its kernel yet.
        await this.tellEnd(before.kernelId ?? kernelId);
      }
    }
  }

  private get kernelId(): string | null {
    return this.notebook.kernel?.id ?? null;
  }

  private get name(): string {
    return brief(this.notebook.notebook_name ?? this.notebook.notebook_path);
  }

  /** Tell it where the server has ended the kernel `id` for a change of rights, once. */
  private async tellEnd(id: string | null | undefined): Promise<void> {
    if (id === null || id === undefined || this.ended.has(id)) {
      return;
    }
    const text = await endOf(this.client, id, this.name);
    if (text !== null && !this.ended.has(id)) {
      this.ended.add(id);
      this.tell({ text, lost: true, offers: false });
    }
  }

  private tell(notice: Notice): void {
    const act = this.notebook.save_notebook_as?.bind(this.notebook);
    const offers = notice.offers && act ? [{ word: WORDS.saveCopy, act }] : [];
    this.notices.tell(notice.text, notice.lost ? 'lost' : 'won', ...offers);
  }
}
