/** What a page of JupyterLab has asked a kernel and waits for; after a close for good, nobody else
 * ends it. */
import type { Kernel } from '@jupyterlab/services';
import { KernelMessage } from '@jupyterlab/services';
import type { Part } from '../unanswered.js';
import { isAwaited, unanswered } from '../unanswered.js';

type Message = KernelMessage.IMessage;

/** Upstream's, as far as this needs it. */
interface Future {
  readonly msg: Message;
  readonly done: Promise<unknown>;
  readonly isDisposed: boolean;
  /** Its types leave it out. */
  handleMsg?: (message: Message) => Promise<void>;
}

interface Inner {
  /** What is kept for the next connection. */
  _pendingMessages?: Message[];
  /** Is done when all that has come was taken. */
  _msgChain?: Promise<void>;
}

interface Asked {
  future: Future;
  replied: boolean;
  over: boolean;
}

export class Waiting {
  private readonly asked = new Map<string, Asked>();

  constructor(private readonly kernel: Kernel.IKernelConnection) {
    kernel.anyMessage.connect((_, { msg, direction }) => {
      const asked = direction === 'recv' ? this.asked.get(parentOf(msg)) : undefined;
      if (asked?.future.msg.channel === msg.channel) {
        asked.replied = true;
      }
    });
  }

  /** Know of what was sent with `future`. */
  add(future: Future): void {
    const { msg_id: id, msg_type: type } = future.msg.header;
    if (isAwaited(type)) {
      const asked = { future, replied: false, over: false };
      this.asked.set(id, asked);
      const over = (): void => {
        asked.over = true;
        this.asked.delete(id);
      };
      void future.done.then(over, over);
    }
  }

  /** End all that is waited for now with `why`, once what has come before is taken. */
  async end(why: string): Promise<void> {
    const inner = this.kernel as unknown as Inner;
    const left = [...this.asked.values()];
    this.asked.clear();
    // Else it would be sent after all with the next connection.
    inner._pendingMessages?.splice(0);
    // Whoever has asked just now says only then who listens.
    await inner._msgChain;
    for (const { future, replied } of left.filter(each => !each.over)) {
      for (const part of unanswered(future.msg.header.msg_type, why, replied)) {
        await take(future, part);
      }
    }
  }
}

async function take(future: Future, part: Part): Promise<void> {
  try {
    if (!future.isDisposed) {
      await future.handleMsg?.(answer(future.msg, part));
    }
  } catch (error) {
    // As upstream, which goes on with the next one.
    console.error(error);
  }
}

function parentOf({ parent_header: parent }: Message): string {
  return 'msg_id' in parent ? parent.msg_id : '';
}

function answer(to: Message, { channel, type, content }: Part): Message {
  const { session, username } = to.header;
  const made = KernelMessage.createMessage<KernelMessage.IStatusMsg>({
    channel: 'iopub',
    msgType: 'status',
    session,
    username,
    parentHeader: to.header,
    content: { execution_state: 'idle' }
  });
  return {
    ...made,
    header: { ...made.header, msg_type: type as KernelMessage.MessageType },
    channel: channel === 'reply' ? to.channel : channel,
    content: content
  };
}
