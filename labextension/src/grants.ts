/** Grants as the server tells them, and changes that lose nobody's. */
import type { Client } from './client.js';
import { Refused } from './client.js';
import { shown, typed } from './moments.js';
import { WORDS } from './words.js';

export interface Grant {
  id: string;
  principal: string;
  level: string;
  resource: string;
  starts: string | null;
  ends: string | null;
  granted_by?: string;
  note?: string;
  source: string;
  inherited_from?: string | null;
  /** How often it still counts; null is always. */
  uses_left?: number | null;
}

export interface LevelOffer {
  level: string;
  sentence: string;
  allowed: boolean;
  reason: string;
  /** When what I have myself ends, so that I can give it no longer; null is without end. */
  until?: string | null;
}

/** Have the field `ends` hold to what can be given of `offer`, and `hint` say so; an end that
 * somebody has typed stays, and the server judges it. */
export function endBy(
  offer: LevelOffer | undefined,
  ends: HTMLInputElement,
  hint: HTMLElement
): void {
  const latest = typed(offer?.until ?? null);
  if (ends.value === ends.max) {
    ends.value = latest;
  }
  ends.max = latest;
  hint.textContent = offer?.until ? WORDS.yoursEnds(shown(offer.until)) : '';
}

/** Until when a grant holds, and how often it still counts where that is limited. */
export function holds(grant: Grant): string {
  const left = grant.uses_left ?? null;
  return [
    ...(grant.ends === null && left !== null ? [] : [shown(grant.ends)]),
    ...(left === null ? [] : [WORDS.usesLeft(left)])
  ].join(', ');
}

/** The tag of `grant` on the server, if it still is what the person saw. */
async function tagOf(client: Client, grant: Grant): Promise<string | null> {
  const { json, etag } = await client.send('GET', `grants/${grant.id}`);
  const now = json as Grant;
  if (now.level !== grant.level || now.ends !== grant.ends) {
    throw new Refused(WORDS.byStatus[412], 412);
  }
  return etag;
}

/** Change `grant`, unless somebody else has changed it since it was shown. */
export async function change(
  client: Client,
  grant: Grant,
  changed: { level?: string; ends?: string | null }
): Promise<Grant> {
  return await client.patch(`grants/${grant.id}`, changed, await tagOf(client, grant));
}

/** Take `grant` back, unless somebody else has changed it since it was shown. */
export async function take(client: Client, grant: Grant): Promise<void> {
  await client.delete(`grants/${grant.id}`, await tagOf(client, grant));
}

/** Give; what reaches everyone is given only if `sure` says yes to the server's sentence. */
export async function give(
  client: Client,
  grant: {
    principal: string;
    level: string;
    resource: string;
    ends: string | null;
    uses?: number;
  },
  sure: (sentence: string) => Promise<boolean>
): Promise<Grant | null> {
  try {
    return await client.post('grants', grant);
  } catch (error) {
    const unconfirmed =
      error instanceof Refused && error.status === 409 && grant.principal === 'everyone';
    if (!unconfirmed || !(await sure(error.message))) {
      if (unconfirmed) {
        return null;
      }
      throw error;
    }
    return await client.post('grants', { ...grant, confirm: true });
  }
}
