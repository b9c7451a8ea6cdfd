import type { DelayedWriter } from "./delayed_writer.ts";
import { FLUSH, makeMessageReader, type Message, preparedBy, runsOf } from "./postgres_messages.ts";

/**
 * A moment of a statement on the wire. `unsent`: it is about to reach the server. `uncommitted`: the server has run it,
 * and the Sync that would commit it is held back. `unanswered`: it is committed, and its answer is held back.
 */
export type Moment = "unsent" | "uncommitted" | "unanswered";

/** A connection that a trap holds. */
export interface Caught {
  /** Resets the connection at both ends. */
  readonly cut: () => void;
  /** Lets it continue as if nothing had happened. */
  readonly release: () => void;
}

/** Catches one connection of a link at a moment of a statement. */
export interface Trap {
  readonly moment: Moment;
  /** Matches the text of the statement. */
  readonly statement: RegExp;
  readonly spring: (caught: Caught) => void;
}

/** A connection that is held, or will be at its moment. */
interface Held {
  readonly moment: Moment;
  readonly spring: Trap["spring"];
  /** Held back from the server. */
  readonly requests: Buffer[];
  /** Held back from the client. */
  readonly answers: Buffer[];
  /** Whether more requests still go to the server. */
  open: boolean;
}

export interface TrapTapOptions {
  readonly toServer: DelayedWriter;
  readonly toClient: DelayedWriter;
  /** Removes and returns a trap for a statement with this text, if there is one. */
  readonly takeTrap: (text: string) => Trap | undefined;
  readonly cut: () => void;
}

/** Forwards the messages of a Postgres connection in both directions, unless a trap holds them. */
export interface TrapTap {
  readonly fromClient: (chunk: Buffer) => void;
  readonly fromServer: (chunk: Buffer) => void;
}

/** A simple query commits by itself, so it is never uncommitted. */
const hold = ({ moment, spring }: Trap, { type }: Message): Held => ({
  moment: type === "Q" && moment === "uncommitted" ? "unanswered" : moment,
  spring,
  requests: [],
  answers: [],
  open: moment !== "unsent",
});

export const makeTrapTap = ({ toServer, toClient, takeTrap, cut }: TrapTapOptions): TrapTap => {
  const readClient = makeMessageReader(true);
  const readServer = makeMessageReader(false);
  const texts = new Map<string, string>();
  let held: Held | undefined;

  const release = (): void => {
    const was = held;
    held = undefined;
    for (const bytes of was?.requests ?? []) toServer.push(bytes);
    for (const bytes of was?.answers ?? []) toClient.push(bytes);
  };

  const textOf = (message: Message): string | undefined => {
    const runs = runsOf(message);
    if (runs === undefined) return undefined;
    return runs._tag === "Text" ? runs.text : texts.get(runs.name);
  };

  const onRequest = (message: Message): void => {
    const prepared = preparedBy(message);
    if (prepared !== undefined) texts.set(prepared.name, prepared.text);
    if (held === undefined) {
      const text = textOf(message);
      const trap = text === undefined ? undefined : takeTrap(text);
      if (trap !== undefined) held = hold(trap, message);
    }
    if (held === undefined) {
      toServer.push(message.bytes);
      return;
    }
    if (!held.open) {
      const first = held.requests.length === 0;
      held.requests.push(message.bytes);
      if (first && held.moment === "unsent") held.spring({ cut, release });
      return;
    }
    toServer.push(message.bytes);
    if (held.moment === "uncommitted" && message.type === "E") {
      // After Execute comes Sync, which commits. Without it the server also buffers its answer, so flush that.
      toServer.push(FLUSH);
      held.open = false;
    }
  };

  const onAnswer = ({ type, bytes }: Message): void => {
    if (held === undefined) {
      toClient.push(bytes);
      return;
    }
    held.answers.push(bytes);
    const { moment, spring } = held;
    // CommandComplete or ErrorResponse.
    const ran = moment === "uncommitted" && (type === "C" || type === "E");
    // ReadyForQuery.
    const ended = moment === "unanswered" && type === "Z";
    if (ran || ended) spring({ cut, release });
  };

  return {
    fromClient: (chunk) => {
      for (const message of readClient(chunk)) onRequest(message);
    },
    fromServer: (chunk) => {
      for (const message of readServer(chunk)) onAnswer(message);
    },
  };
};
