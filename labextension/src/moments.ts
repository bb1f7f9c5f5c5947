/** Moments: the server's are ISO 8601 in UTC, a person's are those of their own clock. */
import { WORDS } from './words.js';

/** A moment for a person to read, to the minute; `medium` is to the second. */
export function shown(
  iso: string | null | undefined,
  timeStyle: 'short' | 'medium' = 'short'
): string {
  if (!iso) {
    return WORDS.never;
  }
  const moment = new Date(iso);
  return Number.isNaN(moment.getTime())
    ? iso
    : moment.toLocaleString(undefined, { dateStyle: 'medium', timeStyle });
}

/** What a `datetime-local` field holds for a moment. */
export function typed(iso: string | null): string {
  if (iso === null) {
    return '';
  }
  const moment = new Date(iso);
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** The moment that a `datetime-local` field means; null for an empty one. */
export function meant(text: string): string | null {
  return text === '' ? null : new Date(text).toISOString();
}
