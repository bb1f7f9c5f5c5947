/** Calls to the server: JSON, this page's own cookie, and refusals as sentences. */
import { WORDS } from './words.js';

/** The server said no, or nothing sensible; `message` is for the person. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly decision: string | null = null
  ) {
    super(message);
  }
}

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

type Query = Record<string, string | number | readonly string[] | undefined>;

export interface Answer {
  json: unknown;
  etag: string | null;
}

export class Client {
  /** `base` ends in a slash: the server's base URL. */
  constructor(readonly base: string) {}

  async get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return (await this.send('GET', path + queryOf(query), undefined, {}, signal)).json as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return (await this.send('POST', path, body)).json as T;
  }

  async patch<T>(path: string, body: unknown, etag?: string | null): Promise<T> {
    return (await this.send('PATCH', path, body, match(etag))).json as T;
  }

  async delete(path: string, etag?: string | null): Promise<void> {
    await this.send('DELETE', path, undefined, match(etag));
  }

  /** One request below `api/authz/`; throws `Refused` for whatever is no success. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal
  ): Promise<Answer> {
    return await this.plain(`api/authz/${path}`, method, body, headers, signal);
  }

  /** One request to another part of the server; as `send`. */
  async plain(
    path: string,
    method = 'GET',
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal
  ): Promise<Answer> {
    let response: Response;
    try {
      response = await fetch(this.base + path, {
        method,
        credentials: 'same-origin',
        cache: 'no-store',
        headers: {
          Accept: 'application/json',
          'Content-Type': 'application/json',
          'X-XSRFToken': xsrf(document.cookie),
          ...headers
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {})
      });
    } catch (error) {
      if (signal?.aborted) {
        throw error;
      }
      throw new Refused(WORDS.unreachable, 0);
    }
    const text = await response.text();
    const json = parsed(text);
    if (!response.ok) {
      throw refusal(response.status, json);
    }
    if (json === undefined && text !== '') {
      // A login page in the place of an answer, say.
      throw new Refused(WORDS.notJson, response.status);
    }
    return { json, etag: response.headers.get('ETag') };
  }
}

const BY_STATUS: Partial<Record<number, string>> = WORDS.byStatus;

/** The refusal that an answer amounts to, whatever it holds. */
export function refusal(status: number, json: unknown): Refused {
  const said = isRecord(json) ? json : {};
  const decision = typeof said.decision_id === 'string' ? said.decision_id : null;
  // A server that does not know a part of ours says no more than the status.
  const isSentence = said.message !== '' && said.message !== 'Not Found';
  if (typeof said.message === 'string' && isSentence) {
    return new Refused(said.message, status, decision);
  }
  return new Refused(
    BY_STATUS[status] ?? (status >= 500 ? WORDS.broken : WORDS.refused(status)),
    status,
    decision
  );
}

/** Value of the cookie that proves a request comes from our own page. */
export function xsrf(cookies: string): string {
  return /(?:^|; )_xsrf=([^;]*)/.exec(cookies)?.[1] ?? '';
}

/** `?a=1&b=2&b=3`; nothing for a query without values. */
export function queryOf(query: Query): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [value]) {
      if (each !== undefined && each !== '') {
        made.append(name, String(each));
      }
    }
  }
  const text = made.toString();
  return text === '' ? '' : `?${text}`;
}

/** What was thrown, as a sentence. */
export function sentence(error: unknown): string {
  return error instanceof Refused ? error.message : WORDS.broken;
}

function match(etag: string | null | undefined): Record<string, string> {
  return etag ? { 'If-Match': etag } : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
