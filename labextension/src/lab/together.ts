/**
 * What other pages put into a notebook that several edit at once is not trusted in this one.
 *
 * JupyterLab trusts a cell that says so of itself, and whatever comes to the outputs of one
 * that was run here, whichever page has written that: a script in it would act as whoever
 * reads it.
 */
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';

/** A part of a shared document. */
interface Part {
  readonly parent: Part | null;
}

/** A cell as it is shared. */
interface SharedCell {
  readonly cell_type: string;
  readonly ymodel: Part & { get(name: string): unknown };
  updateOutputs?: (...change: unknown[]) => void;
}

/** What has changed at once, and whether in this page. */
export interface Change {
  readonly local: boolean;
  readonly changed: ReadonlyMap<object, ReadonlySet<string | null>>;
}

/** A cell as this page has it. */
export interface Cell {
  readonly sharedModel: SharedCell;
  trusted: boolean;
}

/**
 * Trust no more what another page has changed, before it is shown.
 *
 * A cell puts its outputs out anew then, and would write those of before over what has come.
 */
export function distrust(change: Change, cells: Iterable<Cell | undefined>): void {
  if (change.local) {
    return;
  }
  const around = new Set<unknown>();
  for (const part of change.changed.keys()) {
    for (let each: Part | null = part as Part; each !== null; each = each.parent) {
      around.add(each);
    }
  }
  for (const cell of cells) {
    if (cell?.trusted !== true) {
      continue;
    }
    const shared = cell.sharedModel;
    // The source of code is shown as text; what anything else says is shown as it is.
    const shown =
      shared.cell_type === 'code'
        ? around.has(shared.ymodel.get('outputs')) ||
          change.changed.get(shared.ymodel)?.has('outputs') === true
        : around.has(shared.ymodel);
    if (shown) {
      shared.updateOutputs = () => undefined;
      cell.trusted = false;
      Reflect.deleteProperty(shared, 'updateOutputs');
    }
  }
}

/** What cells have in common, by which one asks itself whether it is trusted. */
export interface Asking {
  getMetadata: (this: { sharedModel: { notebook: object | null } }, name?: string) => unknown;
}

/** Have no notebook that several edit at once say of itself what is trusted; once. */
export function keepApart(
  registry: Pick<DocumentRegistry, 'getModelFactory'>,
  asking: Asking
): void {
  const factory = registry.getModelFactory('notebook');
  if (factory === undefined) {
    return;
  }
  const together = new WeakSet();
  const told = asking.getMetadata;
  asking.getMetadata = function (name) {
    const { notebook } = this.sharedModel;
    const isTogether = name === 'trusted' && notebook !== null && together.has(notebook);
    return isTogether ? undefined : told.call(this, name);
  };
  const createNew = factory.createNew.bind(factory);
  factory.createNew = options => {
    const shared = options?.collaborationEnabled === true ? options.sharedModel : undefined;
    if (shared === undefined) {
      return createNew(options);
    }
    together.add(shared);
    const model = createNew(options) as INotebookModel;
    const { ydoc } = shared as unknown as {
      ydoc: { on: (name: string, hear: (change: Change) => void) => void };
    };
    ydoc.on('beforeObserverCalls', change => {
      distrust(change, model.cells as unknown as Iterable<Cell | undefined>);
    });
    return model;
  };
}

/** A notebook in a page, and what marks the parts of it that run commands without a question. */
export interface Shown {
  readonly node: HTMLElement;
  readonly rendermime: { readonly trustHandler: Marks | null };
}

interface Marks {
  markTrusted: (part: HTMLElement) => void;
  unmarkTrusted: (part: HTMLElement) => void;
}

/**
 * Have a button that stands in a text ask before it runs a command of JupyterLab.
 *
 * Once all code of a notebook was run here, JupyterLab takes each of its texts for trusted,
 * also one that another page writes later. What was put out here goes on as it is.
 */
export function askFirst({ node, rendermime }: Shown): void {
  const marks = rendermime.trustHandler;
  if (marks === null) {
    return;
  }
  const handler: Marks = {
    markTrusted: part => {
      if (part !== node && !part.classList.contains('jp-Cell')) {
        marks.markTrusted(part);
      }
    },
    unmarkTrusted: part => {
      marks.unmarkTrusted(part);
    }
  };
  Object.assign(rendermime, { trustHandler: handler });
  // It may have said so of the notebook already.
  for (const part of [node, ...node.querySelectorAll<HTMLElement>('.jp-Cell')]) {
    marks.unmarkTrusted(part);
  }
}
