/** Wires the parts into JupyterLab and Notebook 7. Nothing here decides: the server does. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, IToolbarWidgetRegistry, Notification } from '@jupyterlab/apputils';
import { CellModel } from '@jupyterlab/cells';
import { PageConfig } from '@jupyterlab/coreutils';
import type { DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { DisposableDelegate } from '@lumino/disposable';
import { Client } from './client.js';
import type { Refusal } from './heard.js';
import { dialog, showAbout } from './lab/about.js';
import { markListings, UploadButtons } from './lab/browser.js';
import { Closes } from './lab/closes.js';
import { gate } from './lab/commands.js';
import { DebugButtons } from './lab/debugger.js';
import { renameLink } from './lab/link.js';
import { explainMenus } from './lab/menus.js';
import { CopyBanner } from './lab/copy.js';
import { showShare } from './lab/share.js';
import { Badge, DocumentFace } from './lab/document.js';
import { Front } from './lab/front.js';
import { Launchers } from './lab/launcher.js';
import { AccessTab } from './lab/page.js';
import { Refusals } from './lab/refusals.js';
import { heedRooms } from './lab/rooms.js';
import { RunningLists } from './lab/running.js';
import { StatusItem } from './lab/status.js';
import { askFirst, type Asking, keepApart } from './lab/together.js';
import { isGuest, refusedBecause, Standings } from './me.js';
import { viewBar, viewedSentence } from './view.js';
import { found, watch } from './watch.js';
import { whyPart } from './why.js';
import { WORDS } from './words.js';

const ABOUT = 'authz:about';
const SHARE = 'authz:share';
const SHARE_SELECTED = 'authz:share-selected';
/** What opens documents, by the names that their tool bars go by. */
const FACTORIES = ['Notebook', 'Editor'];
const COPY = 'authz:save-copy';
const PAGE = 'authz:page';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-authorized-server:plugin',
  description: WORDS.plugin,
  autoStart: true,
  optional: [
    ICommandPalette,
    IDocumentManager,
    IFileBrowserFactory,
    ILayoutRestorer,
    INotebookTracker,
    IStatusBar,
    IToolbarWidgetRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    documents: IDocumentManager | null,
    browsers: IFileBrowserFactory | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    statusBar: IStatusBar | null,
    toolbars: IToolbarWidgetRegistry | null
  ): void => {
    keepApart(app.docRegistry, CellModel.prototype as unknown as Asking);
    const faces = new WeakMap<object, DocumentFace>();
    const faceInFront = (): DocumentFace | undefined => {
      const current = app.shell.currentWidget;
      return current ? faces.get(current) : undefined;
    };
    const client = new Client(PageConfig.getBaseUrl());
    const standings = new Standings(client);
    heedRooms(app.serviceManager.contents, standings);
    const front = new Front(app, standings, documents, browsers);
    const gated = gate(
      app.commands,
      () => front.situation,
      (id, reason) => {
        refuse(reason, [
          ...(id === 'docmanager:save' &&
          app.commands.isVisible(COPY) &&
          faceInFront() !== undefined
            ? [{ label: WORDS.saveCopy, callback: () => faceInFront()?.saveCopy() }]
            : []),
          { label: WORDS.why, callback: about }
        ]);
      }
    );
    explainMenus(gated.refused);
    const about = (): void => {
      void showAbout(client, standings, front.path, front.kernelId, () => void page.open());
    };
    const page = new AccessTab(app, client, standings, restorer, PAGE);
    const explain = (refusal: Refusal): void => {
      void whyPart(client, standings, refusal).then(body => dialog(WORDS.whyTitle, body));
    };
    new Refusals(explain, refusal => {
      const callback = (): void => {
        explain(refusal);
      };
      refuse(refusal.message, [{ label: WORDS.why, callback }]);
    }).listen();
    const closes = new Closes(standings, why => {
      const notice = Notification.warning(why, { autoClose: false });
      return () => {
        Notification.dismiss(notice);
      };
    });
    closes.listen(app.serviceManager.kernels);
    const launchers = new Launchers(
      app,
      () => front.situation,
      shown => front.specReason(shown),
      reason => {
        refuse(reason, [{ label: WORDS.why, callback: about }]);
      }
    );

    const shareSelected = async (path = front.selectedPath): Promise<void> => {
      if (path !== null) {
        await showShare(client, standings, path);
      }
    };
    app.commands.addCommand(ABOUT, { label: WORDS.statusTitle, execute: about });
    // A guest is given none of these, whatever is asked, and no server without this package.
    const isVisible = (): boolean => !standings.absent && !isGuest(standings.me);
    app.commands.addCommand(PAGE, {
      label: WORDS.accessPage,
      isVisible,
      execute: () => page.open()
    });
    app.commands.addCommand(COPY, {
      label: WORDS.saveCopy,
      isEnabled: () => faceInFront() !== undefined,
      isVisible,
      execute: () => faceInFront()?.saveCopy()
    });
    app.commands.addCommand(SHARE, {
      label: WORDS.share,
      isEnabled: () => front.path !== null,
      isVisible,
      execute: async () => {
        if (front.path !== null) {
          await showShare(client, standings, front.path);
        }
      }
    });
    app.commands.addCommand(SHARE_SELECTED, {
      label: WORDS.share,
      isVisible,
      execute: async () => {
        await shareSelected();
      }
    });
    palette?.addItem({ command: SHARE, category: WORDS.category });
    palette?.addItem({ command: ABOUT, category: WORDS.category });
    palette?.addItem({ command: PAGE, category: WORDS.category });
    palette?.addItem({ command: COPY, category: WORDS.category });

    const badges = new WeakMap<object, Badge>();
    const badgeOf = (panel: object): Badge => {
      const made = badges.get(panel) ?? new Badge(about);
      badges.set(panel, made);
      return made;
    };
    const face = {
      createNew: (panel: DocumentWidget, context: DocumentRegistry.Context) => {
        const notebook = panel instanceof NotebookPanel ? panel : null;
        if (notebook !== null && context.model.collaborative === true) {
          askFirst(notebook.content);
        }
        const banner = new CopyBanner(app, panel, context, () => standings.ownName);
        const made = new DocumentFace(
          panel,
          context,
          client,
          standings,
          notebook,
          badgeOf(panel),
          banner,
          closes
        );
        faces.set(panel, made);
        return new DisposableDelegate(() => {
          made.dispose();
        });
      }
    };
    for (const factory of FACTORIES) {
      toolbars?.addFactory(factory, 'authz-badge', badgeOf);
      app.docRegistry.addWidgetExtension(factory, face);
    }
    markListings(standings);
    const uploads = new UploadButtons(browsers);
    const debuggers = new DebugButtons(
      () => app.shell.currentWidget?.node,
      () => front.situation
    );
    const running = new RunningLists(() => front.situation);

    const status = statusBar ? new StatusItem(about) : null;
    if (status) {
      statusBar?.registerStatusItem('jupyter-authorized-server:status', {
        item: status,
        align: 'left',
        rank: 90
      });
    }
    let told = '';
    front.onChange(() => {
      gated.again();
      launchers.mark();
      running.mark();
      debuggers.mark();
      uploads.grey(refusedBecause(front.situation.folder, 'upload'));
      if (standings.me) {
        status?.say(standings.me, front.can);
        const viewed = viewedSentence(standings.me);
        if (viewed !== told && viewed !== '') {
          Notification.info(viewed, { autoClose: false });
        }
        told = viewed;
      }
    });
    notebooks?.currentChanged.connect(() => void front.update());
    const silent = (): (() => void) => {
      const shown = Notification.warning(WORDS.silent, { autoClose: false });
      return () => {
        Notification.dismiss(shown);
      };
    };
    void found(standings, silent).then(me => {
      if (me) {
        const bar = viewBar(client, me);
        if (bar) {
          document.body.append(bar);
        }
        // A hub says in the same place who may reach the server at all.
        if (PageConfig.getOption('hubUser') === '') {
          gated.shares();
        }
        renameLink(app.commands, () => {
          const path = front.selectedPath;
          Notification.success(`${WORDS.copied} ${WORDS.copyHint}`, {
            autoClose: 15_000,
            actions: isGuest(me)
              ? []
              : [{ label: WORDS.share, callback: () => void shareSelected(path) }]
          });
        });
        void front.update();
        void watch(client, standings, new AbortController().signal);
      }
      // Else a server without this package, or an older one: nothing is known, so nothing
      // is shown and nothing is grey.
      for (const id of [PAGE, COPY, SHARE, SHARE_SELECTED]) {
        app.commands.notifyCommandChanged(id);
      }
    });
  }
};

/** Say why something was refused, with what can be done about it. */
function refuse(reason: string, actions: Notification.IAction[]): void {
  const text = reason === '' ? WORDS.notAllowed : reason;
  for (const { id, message } of Notification.manager.notifications) {
    // A key that is pressed again is answered once.
    if (message === text) {
      Notification.dismiss(id);
    }
  }
  Notification.warning(text, { autoClose: 15_000, actions });
}

export default plugin;
