/** Greys the front end's own commands where the policy refuses them, with the reason. */
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { GATES } from './gates.js';
import type { Situation } from './gates.js';

/**
 * Have `commands` say of each command in the table whether it is refused.
 *
 * A command's own answer still counts: ours only takes away. A key that is pressed for a
 * refused command is told why instead of nothing. The answer is a function that has
 * everything that shows a command look again.
 */
export function gate(
  commands: CommandRegistry,
  situation: () => Situation,
  onRefused: (id: string, reason: string) => void
): () => void {
  const execute = commands.execute.bind(commands);
  const isEnabled = commands.isEnabled.bind(commands);
  const caption = commands.caption.bind(commands);
  const refused = (id: string): string | null => {
    // Own entries only: `constructor` is a legal name of a command.
    const found = Object.hasOwn(GATES, id) ? GATES[id] : undefined;
    return found ? found(situation()) : null;
  };
  commands.isEnabled = (id, args): boolean =>
    (refused(id) === null || byKey(args)) && isEnabled(id, args);
  commands.execute = async (id, args): Promise<unknown> => {
    const reason = byKey(args) ? refused(id) : null;
    if (reason !== null) {
      onRefused(id, reason);
      return undefined;
    }
    return await execute(id, args);
  };
  commands.caption = (id, args): string => refused(id) ?? caption(id, args);
  return () => {
    for (const id of Object.keys(GATES)) {
      if (commands.hasCommand(id)) {
        commands.notifyCommandChanged(id);
      }
    }
  };
}

/** Whether a command is asked for by a key; menus and tool bars say nothing like it. */
function byKey(args: ReadonlyPartialJSONObject | undefined): boolean {
  const event = args?._luminoEvent;
  return (
    typeof event === 'object' && event !== null && 'type' in event && event.type === 'keybinding'
  );
}
