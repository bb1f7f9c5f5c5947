/** Hears from the server that something has changed, and has the standings asked again. */
import type { Client } from './client.js';
import { Refused } from './client.js';
import type { Me, Standings } from './me.js';

/** Between two looks where the server tells nothing by itself. */
const LOOK = 5_000;
/** After a failure. */
const PAUSE = 3_000;
/** At the start, while nothing answers. */
const AWAY = 10_000;
/** While nobody is signed in any more: each question is a refusal in the records. */
const SIGNED_OUT = 60_000;

/** Who I am, as soon as the server says so; null where it has no such question.
 *
 * `tell` is called where it fails, and what that answers takes it back.
 */
export async function found(standings: Standings, tell: () => () => void): Promise<Me | null> {
  let told: (() => void) | null = null;
  for (let tries = 0; ; tries += 1) {
    const me = await standings.whoAmI();
    if (me && tries > 0) {
      // What was asked meanwhile got no answer.
      standings.forget();
    }
    if (me || standings.absent) {
      told?.();
      return me;
    }
    if (standings.failing) {
      told ??= tell();
    }
    await pause(AWAY, new AbortController().signal);
  }
}

/** Watch until `signal`: by the server's own notice where there is one, else by looking. */
export async function watch(
  client: Client,
  standings: Standings,
  signal: AbortSignal
): Promise<void> {
  let notices = true;
  const over = (): boolean => signal.aborted;
  while (!over()) {
    try {
      // A browser has six connections to a server for all its pages; one that nobody looks
      // at must not hold one of them.
      if (notices && !document.hidden) {
        const after = standings.me?.revision;
        await client.get('changes', { after }, signal);
      } else {
        await pause(document.hidden ? LOOK * 3 : LOOK, signal);
      }
      await standings.refresh();
    } catch (error) {
      if (over()) {
        return;
      }
      if (error instanceof Refused && error.status === 404) {
        notices = false;
      } else {
        const out = error instanceof Refused && [401, 403].includes(error.status);
        await pause(out ? SIGNED_OUT : PAUSE, signal);
      }
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true }
    );
  });
}
