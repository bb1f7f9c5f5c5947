/** In each document: a badge that says what I may do, cells that take no text where I may not
 * change them, and a notice when that changes while the page is open. */
import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';
import type { Client } from '../client.js';
import { fill, h } from '../dom.js';
import { endOf, OVER } from '../ended.js';
import type { Standings } from '../me.js';
import { noticeOf } from '../notice.js';
import type { Can } from '../words.js';
import { badgeWord, brief, canSentence, ofText, WORDS } from '../words.js';
import type { Closes } from './closes.js';
import type { CopyBanner } from './copy.js';
import type { Rights } from './rights.js';
import { isFrozen, rightsOf } from './rights.js';

/** Says in the tool bar whether one is editing, running or viewing. */
export class Badge extends Widget {
  private shown = '';

  constructor(private readonly onClick: () => void) {
    super();
    this.addClass('authz-Badge');
    this.hide();
  }

  show_(can: Can): void {
    const word = badgeWord(can);
    const kind = can.edit ? 'edit' : can.run || can.runSaved ? 'run' : 'view';
    const said = `${word}. ${canSentence(can)}. ${WORDS.badgeHint}`;
    if (said === this.shown) {
      return;
    }
    // Drawn for news alone: somebody's keyboard may be at it.
    this.shown = said;
    fill(
      this.node,
      h(
        'button',
        {
          type: 'button',
          title: said,
          'aria-label': said,
          onclick: () => {
            this.onClick();
          },
          'data-kind': kind
        },
        h('span', { class: 'authz-icon', 'data-icon': kind, 'aria-hidden': 'true' }),
        word
      )
    );
    this.show();
  }
}

/** The editor of a text file, as far as this needs it. */
interface Editor {
  setOption: (name: 'readOnly', value: boolean) => void;
}

/** The one editor of `content`; a notebook has one in each cell. */
function editorOf(content: object): Editor | null {
  const editor = 'editor' in content ? content.editor : null;
  return typeof editor === 'object' && editor !== null && 'setOption' in editor
    ? (editor as Editor)
    : null;
}

/** Follows the rights on one document for as long as it is open. */
export class DocumentFace {
  private rights: Rights | null = null;
  private readonly locked = new WeakSet();
  private textLocked = false;
  private readonly stop: () => void;
  private asked = 0;
  /** Of the kernel that it has, or had last. */
  private kernelId: string | null = null;
  private readonly ended = new Set<string>();
  private readonly warnings: string[] = [];
  /** The cells' texts as they were loaded, for whoever could never change them; null also once
   * something has run, since what was put out is in no file. */
  private loaded: string | null = null;

  constructor(
    private readonly panel: DocumentWidget,
    private readonly context: DocumentRegistry.Context,
    private readonly client: Client,
    private readonly standings: Standings,
    private readonly notebook: NotebookPanel | null,
    private readonly badge: Badge,
    private readonly banner: CopyBanner,
    closes: Closes
  ) {
    const again = (): void => {
      void this.update();
    };
    const stops = [
      standings.onChange(again),
      closes.onBack(id => {
        this.comeBack(id);
      })
    ];
    this.stop = () => {
      for (const stop of stops) {
        stop();
      }
    };
    context.pathChanged.connect(again);
    context.sessionContext.kernelChanged.connect(again);
    context.sessionContext.kernelChanged.connect((_, { oldValue, newValue }) => {
      if (oldValue && !newValue) {
        void this.tellEnd(oldValue.id);
      }
    });
    context.sessionContext.statusChanged.connect((session, status) => {
      const kernel = session.session?.kernel?.id;
      if (kernel !== undefined && OVER.has(status)) {
        void this.tellEnd(kernel);
      }
    });
    context.sessionContext.iopubMessage.connect((_, message) => {
      if (message.header.msg_type === 'execute_input' && this.rights?.can.runSaved === true) {
        this.loaded = null;
      }
    });
    void context.ready.then(() => {
      this.loaded = this.notebook ? this.texts : null;
      again();
    });
    context.model.stateChanged.connect(() => {
      this.keepClean();
    });
    const lock = (): void => {
      this.lock();
    };
    notebook?.content.model?.cells.changed.connect(lock);
    notebook?.content.modelChanged.connect(() => {
      notebook.content.model?.cells.changed.connect(lock);
      lock();
    });
    // A cell that was scrolled into view is made anew.
    notebook?.content.activeCellChanged.connect(lock);
  }

  dispose(): void {
    this.stop();
    this.banner.dispose();
  }

  /** Offer to save what stands here as a file of one's own. */
  saveCopy(): void {
    this.banner.ask();
  }

  private async update(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const found = await rightsOf(this.standings, this.context);
    if (mine !== this.asked || this.panel.isDisposed || !found) {
      return;
    }
    const before = this.rights;
    this.rights = found;
    if (found.can.edit || found.can.run) {
      this.loaded = null;
    }
    this.keepClean();
    this.kernelId = found.kernelId ?? this.kernelId;
    if (!this.badge.isDisposed) {
      this.badge.show_(this.notebook ? found.can : ofText(found.can));
    }
    this.lock();
    if (before?.path === found.path) {
      this.notice(before, found);
      // Right after a start no answer has told of its kernel yet.
      const id = before.kernelId ?? found.kernelId;
      if (id !== null && before.can.runSaved && !found.can.runSaved) {
        void this.tellEnd(id);
      }
    }
  }

  /** Tell it where the server has ended the kernel `id` for a change of rights, once. */
  private async tellEnd(id: string): Promise<void> {
    if (this.ended.has(id)) {
      return;
    }
    const told = await endOf(this.client, id, this.name);
    if (told !== null && !this.ended.has(id)) {
      this.ended.add(id);
      this.warn(told);
    }
  }

  /** Take the kernel `id` again, which this had. */
  private comeBack(id: string): void {
    const { sessionContext } = this.context;
    if (this.kernelId === id && sessionContext.session === null) {
      void sessionContext.changeKernel({ id });
    }
  }

  private get frozen(): boolean {
    return this.rights !== null && isFrozen(this.rights.can);
  }

  /** The texts of the notebook's cells, in one. */
  private get texts(): string {
    const cells = this.notebook?.content.model?.sharedModel.cells ?? [];
    return JSON.stringify(cells.map(cell => cell.getSource()));
  }

  /**
   * Upstream changes a notebook as it opens it; who cannot save that is not asked to.
   *
   * Not where a text is other than it was: before it is known what somebody may do, the
   * cells take what they type.
   */
  private keepClean(): void {
    const { model } = this.context;
    if (this.rights && this.loaded !== null && model.dirty && this.loaded === this.texts) {
      model.dirty = false;
    }
  }

  private lock(): void {
    const frozen = this.frozen;
    this.panel.toggleClass('authz-mod-readOnly', frozen);
    const editor = editorOf(this.panel.content);
    if (editor && frozen !== this.textLocked) {
      this.textLocked = frozen;
      editor.setOption('readOnly', frozen);
    }
    for (const cell of this.notebook?.content.widgets ?? []) {
      // What the page shows is not what the notebook says: upstream would write it into the
      // cell, for whoever else has it open and for each copy.
      if (frozen && !cell.readOnly) {
        cell.syncEditable = false;
        cell.readOnly = true;
        this.locked.add(cell);
      } else if (!frozen && this.locked.has(cell)) {
        // It is as the notebook says then.
        cell.syncEditable = true;
        this.locked.delete(cell);
      }
    }
  }

  private get name(): string {
    return brief(PathExt.basename(this.context.path));
  }

  private warn(text: string): void {
    this.warnings.push(Notification.warning(text, { autoClose: false }));
  }

  private notice(before: Rights, now: Rights): void {
    const notice = noticeOf(this.name, before, now);
    if (notice?.offers) {
      this.banner.offer(notice.text);
    } else if (now.can.edit && !before.can.edit) {
      this.banner.withdraw();
    }
    if (notice?.lost) {
      this.warn(notice.text);
    } else if (notice) {
      // It has been given back: what was said about its loss is no longer so.
      for (const id of this.warnings.splice(0)) {
        Notification.dismiss(id);
      }
      Notification.success(notice.text, { autoClose: 8000 });
    }
  }
}
