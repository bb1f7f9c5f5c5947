/** Who I am and what I may do: one answer of the server, kept while its revision holds. */
import type { Client } from './client.js';
import { Refused } from './client.js';

export interface Verdict {
  allowed: boolean;
  reason?: string;
}

/** What I may do with one resource. */
export interface Standing {
  level: string | null;
  owner: string | null;
  /** Whether others were given it; null where that is not mine to know. */
  shared?: boolean | null;
  /** Whether it is my kernel, and would see more if it started again. */
  more_at_restart?: boolean;
  /** Whose kernel it was, if a change of rights has ended it. */
  ended?: 'mine' | 'theirs' | null;
  actions: Record<string, Verdict>;
  /** What I could do in a kernel that I start for it; not told where I may start none. */
  own_kernel?: Record<string, Verdict>;
}

export interface Me {
  principal: {
    name: string;
    display_name: string;
    groups: string[];
    token: string | null;
    viewer?: string | null;
  };
  /** Who looks around as me. */
  viewed_by?: readonly { viewer: string; since: string | null }[];
  revision: number;
  mode?: string;
  /** How one's kernels and terminals are confined. */
  sandbox?: { backend: string; confined: boolean; runs: boolean };
  abilities: { terminals: Record<string, Verdict>; administer: boolean };
  resources: Record<string, Standing>;
}

/** Whether `me` has opened a link for guests and not signed in; nothing is kept for a guest. */
export function isGuest(me: Me | null): boolean {
  return me?.principal.name.startsWith('link:') === true;
}

/** Longest query of one question; servers refuse a header of some 64 kB. */
const MOST_QUERY = 16_000;
/** Most resources of one question; the server takes 500. */
const MOST_RESOURCES = 400;

interface Waiting {
  resolve: (standing: Standing | null) => void;
}

/**
 * Answers "what may I do with this?" for all views of a page.
 *
 * What is asked in one turn goes out as one request, and nothing while it is asked already.
 * Nothing here guards anything: what is
 * not known counts as allowed, and the server refuses what must be refused.
 */
export class Standings {
  me: Me | null = null;
  private readonly known = new Map<string, Standing>();
  /** What has no answer yet that would be of now, and of that what was not sent yet. */
  private asked = new Map<string, Waiting[]>();
  private waiting = new Map<string, Waiting[]>();
  private readonly listeners = new Set<() => void>();
  private turn: Promise<void> | null = null;
  /** A server without this package, or an older one; it is asked no more. */
  absent = false;
  /** Whether it failed, or did not answer, when it was last asked who I am. */
  failing = false;
  private first: Promise<void> | null = null;

  constructor(private readonly client: Client) {}

  /** Have `listener` called after every change; the answer takes it back. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The name that I sign in with; empty while that is not known. */
  get ownName(): string {
    return this.me?.principal.name.replace(/^[a-z]+:/, '') ?? '';
  }

  /** What is known of `resource` now. */
  peek(resource: string): Standing | undefined {
    return this.known.get(resource);
  }

  /** What I may do with `resource`; null where the server does not say. */
  async of(resource: string): Promise<Standing | null> {
    const known = this.known.get(resource);
    if (known || this.absent) {
      return known ?? null;
    }
    return new Promise(resolve => {
      const others = this.asked.get(resource);
      if (others) {
        others.push({ resolve });
      } else {
        const first = [{ resolve }];
        this.asked.set(resource, first);
        this.waiting.set(resource, first);
        this.turn ??= Promise.resolve().then(() => this.askAll());
      }
    });
  }

  /** Ask who I am, unless that is known; null where the server has no such question. */
  async whoAmI(): Promise<Me | null> {
    if (!this.me && !this.absent) {
      // Whoever asks at the same time waits for the same answer.
      this.first ??= this.client.get<Me>('me').then(
        me => {
          this.failing = false;
          this.take(me);
        },
        (error: unknown) => {
          if (!(error instanceof Refused)) {
            throw error;
          }
          this.absent = error.status === 404;
          this.failing = error.status === 0 || error.status >= 500;
        }
      );
      await this.first;
      this.first = null;
    }
    return this.me;
  }

  /** Look whether anything has changed; if so, forget all and tell the views. */
  async refresh(): Promise<void> {
    const before = this.me?.revision;
    try {
      const me = await this.client.get<Me>('me');
      const seen = JSON.stringify(this.me?.viewed_by) === JSON.stringify(me.viewed_by);
      if (me.revision === before && seen) {
        return;
      }
      this.take(me);
    } catch (error) {
      if (!(error instanceof Refused)) {
        throw error;
      }
      // Slow, away or signed out: what is known stays until the server can be asked.
      return;
    }
    this.tell();
  }

  /** Forget all and tell the views, as after an act of one's own. */
  forget(): void {
    this.clear();
    this.tell();
  }

  private clear(): void {
    this.known.clear();
    // An answer that is on its way is of before.
    this.asked = new Map(this.waiting);
  }

  private tell(): void {
    for (const listener of [...this.listeners]) {
      listener();
    }
  }

  /** Keep an answer, and nothing that is known from another revision; whether there was that. */
  private take(me: Me): boolean {
    const isNews = this.me !== null && this.me.revision !== me.revision;
    if (isNews) {
      this.clear();
    }
    this.me = me;
    for (const [resource, standing] of Object.entries(me.resources)) {
      this.known.set(resource, standing);
    }
    return isNews;
  }

  private async askAll(): Promise<void> {
    this.turn = null;
    const asked = this.waiting;
    this.waiting = new Map();
    await Promise.all(portions([...asked.keys()]).map(portion => this.ask(portion, asked)));
  }

  private async ask(portion: string[], asked: Map<string, Waiting[]>): Promise<void> {
    let isNews = false;
    try {
      isNews = this.take(await this.client.get<Me>('me', { resource: portion }));
    } catch (error) {
      if (!(error instanceof Refused)) {
        console.error(error);
      } else if (error.status === 404) {
        this.absent = true;
      }
    }
    for (const resource of portion) {
      const waiting = asked.get(resource) ?? [];
      if (this.asked.get(resource) === waiting) {
        this.asked.delete(resource);
      }
      for (const each of waiting) {
        each.resolve(this.known.get(resource) ?? null);
      }
    }
    if (isNews) {
      // Whoever looks whether there is news finds this revision known, and says nothing.
      this.tell();
    }
  }
}

/** `resources` in as few questions as their length allows. */
export function portions(resources: readonly string[]): string[][] {
  const made: string[][] = [];
  let length = Infinity;
  for (const resource of resources) {
    const more = encodeURIComponent(resource).length + 10;
    const current = made.at(-1);
    if (!current || length + more > MOST_QUERY || current.length >= MOST_RESOURCES) {
      made.push([resource]);
      length = more;
    } else {
      current.push(resource);
      length += more;
    }
  }
  return made;
}

/** Whether `action` is refused, and why; null where it is allowed or not known. */
export function refusedBecause(
  standing: Standing | null | undefined,
  ...actions: readonly string[]
): string | null {
  if (!standing) {
    return null;
  }
  const asked = actions.map(action => standing.actions[action]);
  if (asked.length === 0 || asked.some(verdict => !verdict || verdict.allowed)) {
    return null;
  }
  return asked[0]?.reason ?? '';
}

/** The resource of a contents path as front ends write it, without a slash before it. */
export function contents(path: string): string {
  // A drive, as `RTC:` of collaboration, is not part of the file's name.
  const local = path.replace(/^[A-Za-z][A-Za-z0-9_-]*:/, '');
  return `contents:/${local.replace(/^\/+/, '')}`;
}
