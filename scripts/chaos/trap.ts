import type { DelayedWriter } from "./delayed_writer.ts";
import { FLUSH, makeMessageReader, type Message, preparedBy, runsOf } from "./postgres_messages.ts";

/**
 * A moment in the life of a statement, seen from the wire. `unsent`: it is about to reach the server.
 * `uncommitted`: the server has run it, and the Sync that would commit it is held back. `unanswered`:
 * it is committed, and its answer is held back.
 */
export type Moment = "unsent" | "uncommitted" | "unanswered";

/** A connection that is held at the moment that a trap was set for. */
export interface Caught {
  /** Resets the connection at both ends. */
  readonly cut: () => void;
  /** Lets it go on as if nothing had been. */
  readonly release: () => void;
}

/** Waits for a moment of a statement on any connection of a link, once. */
export interface Trap {
  readonly moment: Moment;
  /** Matches the text of the statement. */
  readonly statement: RegExp;
  readonly spring: (caught: Caught) => void;
}

/** A connection that is held, or about to be. */
interface Held {
  readonly moment: Moment;
  readonly spring: Trap["spring"];
  /** What the client sent and the server does not get. */
  readonly requests: Buffer[];
  /** What the server answered and the client does not get. */
  readonly answers: Buffer[];
  /** Whether more of what the client sends still goes to the server. */
  open: boolean;
}

export interface TrapTapOptions {
  readonly toServer: DelayedWriter;
  readonly toClient: DelayedWriter;
  /** Takes the trap that is set for a statement with this text, if there is one. */
  readonly takeTrap: (text: string) => Trap | undefined;
  readonly cut: () => void;
}

/** What stands in both directions of a Postgres connection, and forwards whole messages. */
export interface TrapTap {
  readonly fromClient: (chunk: Buffer) => void;
  readonly fromServer: (chunk: Buffer) => void;
}

/** A simple query commits by itself, so that there is no moment between. */
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
      // Behind Execute comes Sync, and Sync commits. Without it the server would also keep its answer.
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
    // CommandComplete, or the error in its place.
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
