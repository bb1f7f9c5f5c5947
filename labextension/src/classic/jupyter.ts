/** Of nbclassic's own page and parts, as far as this needs them. */

/** What somebody awaits of a message's answer. */
export interface Awaiting {
  shell_done: boolean;
  iopub_done: boolean;
  iopub?: { status?: (message: unknown) => void } | undefined;
}

export interface Kernel {
  id?: string;
  ws?: WebSocket | null;
  /** How often it tries to connect again by itself. */
  reconnect_limit: number;
  reconnect: () => void;
  /** Sends a message, or keeps it until there is a connection; the answer is its id. */
  send_shell_message: (type: string, ...more: unknown[]) => string;
  /** What is kept for the next connection. */
  _pending_messages: unknown[];
  /** Who awaits what, by the id of the message that asks. */
  _msg_callbacks: Record<string, Awaiting | undefined>;
  /** Takes up that the connection has closed. */
  _ws_closed: (address: string, failed: boolean) => void;
  /** Takes a message as it comes. */
  _handle_ws_message: (event: { data: string }) => void;
  /** Is done when all that has come was taken. */
  _msg_queue: Promise<unknown>;
  /** Tells that no output of a message comes any more. */
  _finish_iopub: (id: string) => void;
}

export interface Cell {
  /** Whether one may type in it; asked when it is entered. */
  is_editable: () => boolean;
  code_mirror?: { setOption: (name: 'readOnly', value: boolean) => void };
}

/** All that keys, menus, the tool bar and the palette ask for, each by its name. */
export interface Actions {
  call: (name: string, event?: Event | null, env?: unknown) => unknown;
}

export interface Classic {
  notebook?: {
    notebook_path: string;
    notebook_name?: string;
    kernel?: Kernel | null;
    keyboard_manager?: { actions: Actions };
    get_cells: () => Cell[];
    events?: {
      on: (
        names: string,
        listener: (event: unknown, about?: { kernel?: Kernel; cell?: Cell }) => void
      ) => void;
    };
    save_notebook_as?: () => void;
  };
  /** On the page with the list of files. */
  session_list?: { load_sessions: () => void };
}

/** A session, in the answer with all of them. */
export interface Session {
  path?: string;
  kernel?: { id?: string } | null;
}

/** An answer, as jQuery gives it. */
export interface Answer {
  status: number;
  responseJSON?: unknown;
}

/** A part of jQuery; its events are heard by nobody else. */
export interface Found {
  on: (names: string, within: string, listener: (event: { target: Element }) => void) => unknown;
  one: (names: string, listener: () => void) => unknown;
  ajaxError: (
    listener: (event: unknown, answer: Answer, asked: { url?: string; type?: string }) => void
  ) => unknown;
  ajaxSuccess: (
    listener: (event: unknown, answer: Answer, asked: { url?: string; type?: string }) => void
  ) => unknown;
  data: (name: string) => unknown;
  attr: (name: string, value: string) => unknown;
}

export type JQuery = (of: Document | Element) => Found;

export interface Dialogs {
  modal: (options: {
    title: string;
    body: Element;
    buttons: Record<string, object>;
    notebook?: object;
    keyboard_manager?: object;
  }) => Found;
}

/** The base of this server's addresses. nbclassic writes it down percent-encoded once more
 * than a request has it: a hub serves `me@x.org` below `/user/me@x.org/`, and the page says
 * `/user/me%40x.org/`, where no address of this server is. */
export function baseUrl(page: { baseUrl?: string | undefined }): string {
  return decodeURIComponent(page.baseUrl ?? '/');
}
