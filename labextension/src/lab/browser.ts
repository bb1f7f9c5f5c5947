/** In the file browser: a lock on what is closed to me, an eye on what I may not change, and
 * a sign on what others have been given. */
import type { Contents } from '@jupyterlab/services';
import type { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { DirListing } from '@jupyterlab/filebrowser';
import { h } from '../dom.js';
import type { Standing, Standings } from '../me.js';
import { contents, refusedBecause } from '../me.js';
import { WORDS } from '../words.js';
import { drape, onRedraw } from './drape.js';

const MARK = 'authz-Mark';

/** Mark every item that a listing shows, now and after each change. */
export function markListings(standings: Standings): void {
  const shown = new WeakMap<HTMLElement, string>();
  const renderer = DirListing.defaultRenderer;
  const original = renderer.updateItemNode.bind(renderer);
  const drawn = new Set<HTMLElement>();

  const mark = (node: HTMLElement, path: string): void => {
    const resource = contents(path);
    const known = standings.peek(resource);
    if (known) {
      draw(node, known);
      return;
    }
    void standings.of(resource).then(standing => {
      if (standing && shown.get(node) === path) {
        draw(node, standing);
      }
    });
  };

  renderer.updateItemNode = (node: HTMLElement, model: Contents.IModel, ...rest): void => {
    original(node, model, ...rest);
    shown.set(node, model.path);
    drawn.add(node);
    mark(node, model.path);
  };

  standings.onChange(() => {
    for (const node of drawn) {
      const path = shown.get(node);
      if (!node.isConnected || path === undefined) {
        drawn.delete(node);
      } else {
        mark(node, path);
      }
    }
  });
}

/** The signs of an item, with what each says; what I cannot change says no more than that. */
function signs(
  standing: Standing,
  isFolder: boolean
): {
  icon: string;
  word: string;
  title: string;
}[] {
  // A folder on the way to what I may see is shown for that, and entered like any other.
  const isWay = isFolder && refusedBecause(standing, 'list') !== null;
  const closed = isWay ? null : refusedBecause(standing, 'open');
  const kept = refusedBecause(standing, 'save');
  const made = [];
  if (closed !== null) {
    made.push({ icon: 'lock', word: WORDS.lockedItem, title: closed });
  } else if (kept !== null) {
    made.push({ icon: 'view', word: WORDS.readOnlyItem, title: kept });
  }
  if (standing.shared === true) {
    made.push({ icon: 'shared', word: WORDS.sharedItem, title: WORDS.sharedItem });
  }
  return made;
}

function draw(node: HTMLElement, standing: Standing): void {
  const wanted = signs(standing, node.dataset.isdir === 'true');
  const key = JSON.stringify(wanted);
  const there = node.querySelector<HTMLElement>(`.${MARK}`);
  if (there?.dataset.signs === key) {
    return;
  }
  there?.remove();
  if (wanted.length === 0) {
    return;
  }
  const made = h(
    'span',
    { class: MARK, 'data-signs': key },
    ...wanted.map(each =>
      h(
        'span',
        { title: each.title, role: 'img', 'aria-label': each.word },
        h('span', { class: 'authz-icon', 'data-icon': each.icon, 'aria-hidden': 'true' })
      )
    )
  );
  (node.querySelector('.jp-DirListing-itemName') ?? node).append(made);
}

const UPLOADER = ':scope > [data-jp-item-name="uploader"]';

/** Greys the upload button of each file browser, which is no command. */
export class UploadButtons {
  private reason: string | null = null;
  private readonly places = new Set<HTMLElement>();

  constructor(browsers: IFileBrowserFactory | null) {
    const follow = (browser: FileBrowser): void => {
      this.follow(browser.toolbar.node);
    };
    browsers?.tracker.forEach(follow);
    browsers?.tracker.widgetAdded.connect((_, browser) => {
      follow(browser);
    });
  }

  /** Grey each where `reason` says why; make it as it was where that is null. */
  grey(reason: string | null): void {
    this.reason = reason;
    for (const place of this.places) {
      this.drape(place);
    }
  }

  /** Find the button's place in `toolbar`, now or when it comes. */
  private follow(toolbar: HTMLElement): void {
    const find = (): void => {
      const place = toolbar.querySelector<HTMLElement>(UPLOADER);
      if (place && !this.places.has(place)) {
        this.places.add(place);
        this.drape(place);
        onRedraw(place, () => {
          this.drape(place);
        });
      }
    };
    new MutationObserver(find).observe(toolbar, { childList: true });
    find();
  }

  private drape(place: HTMLElement): void {
    for (const button of place.querySelectorAll<HTMLElement>('jp-button')) {
      drape(button, this.reason);
    }
  }
}
