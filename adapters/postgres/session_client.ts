import pg from "pg";

import { DatabaseReadOnly } from "./errors.ts";

/** What `pg` has besides its types: the connection emits what the server reports of a session's settings, and has a socket. */
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
 * A client that knows whether its session may write, without asking: since version 14 the server reports
 * `in_hot_standby` and `default_transaction_read_only` on connecting, and with the next answer after they change.
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

  /** What the server said of a setting that it reports. */
  reported(setting: string): string | undefined {
    return this.#reported.get(setting);
  }

  /** Ends the connection as if it had broken: what runs on it fails with this error. */
  breakOff(error: Error): void {
    (this as unknown as Connected).connection.stream.destroy(error);
  }

  /** Why nothing can be written in this session, as far as the server has told. */
  get readOnly(): DatabaseReadOnly | undefined {
    if (this.#reported.get("in_hot_standby") === "on") return new DatabaseReadOnly("standby");
    if (this.#reported.get("default_transaction_read_only") === "on") {
      return new DatabaseReadOnly("setting");
    }
    return undefined;
  }
}
