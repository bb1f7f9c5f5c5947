/** Greys the front end's own commands where the policy refuses them, with the reason. */
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { GATES } from './gates.js';
import type { Situation } from './gates.js';

type Arguments = ReadonlyPartialJSONObject;

/**
 * jupyter-collaboration's button that shares the server by its address.
 *
 * An address gives nobody anything here, and it does not say so; *Share…* says who has what,
 * and has the address as well.
 */
const BY_ADDRESS = 'collaboration:shared-link';

/**
 * Have `commands` say of each command in the table whether it is refused.
 *
 * A command's own answer still counts: ours only takes away. A key that is pressed for a
 * refused command is told why instead of nothing. The answer says of a command why it is
 * refused, and has what shows a command look again, where it is about something else now.
 */
export function gate(
  commands: CommandRegistry,
  situation: () => Situation,
  onRefused: (id: string, reason: string) => void
): Gated {
  const execute = commands.execute.bind(commands);
  const isEnabled = commands.isEnabled.bind(commands);
  const caption = commands.caption.bind(commands);
  const isVisible = commands.isVisible.bind(commands);
  const refused = (id: string, args?: Arguments): string | null => {
    // Own entries only: `constructor` is a legal name of a command.
    const found = Object.hasOwn(GATES, id) ? GATES[id] : undefined;
    return found ? found(situation(), args) : null;
  };
  commands.isEnabled = (id, args): boolean =>
    // Of a refused one its own answer may be that of another command, which is refused as well.
    refused(id, args) === null ? isEnabled(id, args) : byKey(args);
  commands.execute = async (id, args): Promise<unknown> => {
    const reason = byKey(args) ? refused(id, args) : null;
    if (reason !== null) {
      onRefused(id, reason);
      return undefined;
    }
    return await execute(id, args);
  };
  commands.caption = (id, args): string => {
    const reason = refused(id, args);
    if (reason === null) {
      return caption(id, args);
    }
    // A button without words is called by this, refused or not; a card has its words.
    const name = args?.isLauncher === true ? '' : commands.label(id, args);
    return name === '' ? reason : `${name}: ${reason}`;
  };
  let ours = false;
  commands.isVisible = (id, args): boolean => !(ours && id === BY_ADDRESS) && isVisible(id, args);
  const shares = (): void => {
    ours = true;
    if (commands.hasCommand(BY_ADDRESS)) {
      commands.notifyCommandChanged(BY_ADDRESS);
    }
  };
  let before: Told = { front: null, reasons: new Map() };
  const again = (): void => {
    const now = reasonsIn(situation());
    for (const id of changed(before, now)) {
      if (commands.hasCommand(id)) {
        commands.notifyCommandChanged(id);
      }
    }
    before = now;
  };
  return { refused, again, shares };
}

export interface Gated {
  /** Why a command is refused at this moment; null where it is not. */
  refused: (id: string, args?: Arguments) => string | null;
  /** Look again. */
  again: () => void;
  /** From now on things are shared with *Share…* alone. */
  shares: () => void;
}

/** What is in front, and why which commands are refused there. */
interface Told {
  front: string | null;
  reasons: ReadonlyMap<string, string>;
}

function reasonsIn(at: Situation): Told {
  const reasons = new Map<string, string>();
  for (const [id, gate] of Object.entries(GATES)) {
    const reason = gate(at);
    if (reason !== null) {
      reasons.set(id, reason);
    }
  }
  return { front: at.front, reasons };
}

/**
 * The commands that may look other than they are.
 *
 * Of those that are refused as they were, only the ones of another document: its buttons
 * were drawn while something else was in front. What was allowed and is needs no telling,
 * and each telling has the whole palette drawn anew.
 */
export function changed(before: Told, now: Told): string[] {
  const ids = new Set([...before.reasons.keys(), ...now.reasons.keys()]);
  return [...ids].filter(
    id => before.front !== now.front || before.reasons.get(id) !== now.reasons.get(id)
  );
}

/** Whether a command is asked for by a key; menus and tool bars say nothing like it. */
function byKey(args: Arguments | undefined): boolean {
  const event = args?._luminoEvent;
  return (
    typeof event === 'object' && event !== null && 'type' in event && event.type === 'keybinding'
  );
}
