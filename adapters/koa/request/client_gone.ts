import type { ServerResponse } from "node:http";

/** Whether the client left before it was answered: nobody will read the answer. */
const isGone = (response: ServerResponse): boolean => response.closed && !response.writableFinished;

/**
 * Calls back once when the client leaves before it was answered; at once if it left already.
 *
 * @returns what ends the watching
 */
export const whenGone = (response: ServerResponse, callback: () => void): (() => void) => {
  const onClose = (): void => {
    if (isGone(response)) callback();
  };
  if (response.closed) onClose();
  else response.once("close", onClose);
  return () => {
    response.off("close", onClose);
  };
};
