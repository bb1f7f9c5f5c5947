/**
 * What a page sends into the room of a document that several edit at once.
 *
 * JupyterLab writes into a document as it opens it, and what a kernel answers as it runs; where
 * somebody may not change the document, each of that would be refused and recorded, as if they
 * had tried to. And it comes back to a room that it was put out of, for ever.
 */
import type { Contents } from '@jupyterlab/services';
import type { Standings } from '../me.js';
import { contents, refusedBecause } from '../me.js';

/** Says that there is something new, and not what; the server asks for it when it may be had. */
const NOTHING = [2, 0, 0];
/** As the server closes a socket of whoever may not hear of it any more. */
const TAKEN = 1008;
/** Between two looks while the server does not say; each is a refusal where nobody is signed in. */
const LOOK = 60_000;

type Data = string | ArrayBufferLike | Blob | ArrayBufferView;

interface Socket {
  send: (data: Data) => void;
}

/** What keeps a document in step with its room, as far as this needs it. */
export interface Provider {
  ws: Socket | null;
  shouldConnect: boolean;
  connect: () => void;
  disconnect: () => void;
  on: (name: 'connection-close', hear: (event: { code: number } | null) => void) => void;
}

/** A document as it is shared, as far as this needs it. */
export interface Shared {
  readonly ydoc: {
    on: (name: 'beforeTransaction', hear: (change: { origin: unknown }) => void) => void;
  };
  readonly disposed: { connect: (hear: () => void) => unknown };
  getState: (name: string) => unknown;
}

/** Have each document that is edited together from now on heed what one may do with it. */
export function heedRooms(
  manager: Pick<Contents.IManager, 'getSharedModelFactory'>,
  standings: Standings
): void {
  const heeded = new WeakSet();
  const found = manager.getSharedModelFactory.bind(manager);
  manager.getSharedModelFactory = (...asked) => {
    const factory = found(...asked);
    if (factory !== null && !heeded.has(factory)) {
      heeded.add(factory);
      const createNew = factory.createNew.bind(factory);
      factory.createNew = options => {
        const made = createNew(options);
        if (made !== undefined) {
          new Room(made as unknown as Shared, options.path, standings);
        }
        return made;
      };
    }
    return factory;
  };
}

/** The room of one document, seen from this page. */
export class Room {
  private provider: Provider | null = null;
  private readonly provided = new WeakSet();
  /** Null while that was never answered. */
  private saves: boolean | null = null;
  private away = false;
  private held: (() => void)[] = [];
  private asked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly shared: Shared,
    private readonly path: string,
    private readonly standings: Standings
  ) {
    // Before a page writes anything into a document, it has from the room what is there.
    shared.ydoc.on('beforeTransaction', ({ origin }) => {
      if (isProvider(origin) && !this.provided.has(origin)) {
        this.provided.add(origin);
        this.heed(origin);
      }
    });
    const stop = standings.onChange(() => void this.ask());
    shared.disposed.connect(() => {
      stop();
      clearTimeout(this.timer);
      this.asked += 1;
    });
    void this.ask();
  }

  private heed(provider: Provider): void {
    this.provider = provider;
    let socket = provider.ws;
    const heard = (next: Socket | null): void => {
      socket = next;
      if (next !== null) {
        const send = next.send.bind(next);
        next.send = data => {
          this.pass(data, send);
        };
      }
    };
    heard(socket);
    Object.defineProperty(provider, 'ws', { get: () => socket, set: heard });
    provider.on('connection-close', event => {
      if (event?.code === TAKEN) {
        provider.shouldConnect = false;
        this.away = true;
        // It may be back already, and nobody tells of it once more.
        this.standings.forget();
      }
    });
  }

  /** Send `data`, unless it would change the document and I may not. */
  private pass(data: Data, send: (data: Data) => void): void {
    if (!isChange(data) || this.saves === true) {
      send(data);
    } else if (this.saves === null) {
      this.held.push(() => {
        this.pass(data, send);
      });
    } else {
      send(new Uint8Array([...data.subarray(0, 2), ...NOTHING]));
    }
  }

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    this.asked += 1;
    const mine = this.asked;
    const path = this.shared.getState('path');
    const standing = await this.standings.of(
      contents(typeof path === 'string' ? path : this.path)
    );
    if (mine !== this.asked) {
      return;
    }
    // What is not known is left to the server.
    this.saves = refusedBecause(standing, 'save') === null;
    for (const send of this.held.splice(0)) {
      send();
    }
    if (refusedBecause(standing, 'open') !== null) {
      this.away = true;
      this.provider?.disconnect();
    } else if (this.away && standing !== null) {
      this.away = false;
      this.provider?.connect();
    } else if (this.away) {
      this.timer = setTimeout(() => void this.ask(), LOOK);
    }
  }
}

function isProvider(origin: unknown): origin is Provider {
  return (
    typeof origin === 'object' &&
    origin !== null &&
    ['ws', 'shouldConnect', 'connect', 'disconnect'].every(name => name in origin)
  );
}

/** Whether `data` tells the room what a page has of the document that the room has not. */
function isChange(data: Data): data is Uint8Array {
  return data instanceof Uint8Array && data[0] === 0 && (data[1] === 1 || data[1] === 2);
}
