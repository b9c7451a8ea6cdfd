import pg from "pg";

import { DatabaseReadOnly } from "./errors.ts";

/** What the types of `pg` lack: the events of reported settings, and the socket. */
interface Connected {
  readonly connection: {
    on(
      event: "parameterStatus",
      listener: (report: { parameterName: string; parameterValue: string }) => void,
    ): void;
    readonly stream: { destroy(error: Error): void };
  };
}

/**
 * A client that knows without a query whether its session can write: since version 14 the server
 * reports `in_hot_standby` and `default_transaction_read_only` on connecting, and with the next
 * answer after a change.
 */
export class SessionClient extends pg.Client {
  readonly #reported = new Map<string, string>();

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    (this as unknown as Connected).connection.on(
      "parameterStatus",
      ({ parameterName, parameterValue }) => this.#reported.set(parameterName, parameterValue),
    );
  }

  /** The value of a setting that the server reports. */
  reported(setting: string): string | undefined {
    return this.#reported.get(setting);
  }

  /** Breaks the connection: its statement fails with this error. */
  breakOff(error: Error): void {
    (this as unknown as Connected).connection.stream.destroy(error);
  }

  /** Why this session cannot write, as far as the server has reported. */
  get readOnly(): DatabaseReadOnly | undefined {
    if (this.#reported.get("in_hot_standby") === "on") return new DatabaseReadOnly("standby");
    if (this.#reported.get("default_transaction_read_only") === "on") {
      return new DatabaseReadOnly("setting");
    }
    return undefined;
  }
}
