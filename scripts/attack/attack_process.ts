import { constants, setPriority } from "node:os";

import type { Target } from "./attack.ts";
import { ATTACKS } from "./attacks/all.ts";
import { emptyTally } from "./tally.ts";
import { makeWires } from "./wire.ts";

/**
 * An attack in a process of its own, so that the judge measures the service and not this. Takes the name of the attack,
 * the most seconds that it may go on, and the target as JSON in `ATTACK_TARGET`; ends on SIGTERM, and prints what it
 * did as JSON.
 */
const [name = "", seconds = "0"] = process.argv.slice(2);
const target = JSON.parse(process.env["ATTACK_TARGET"] ?? "") as Target;
const attack = ATTACKS.find((each) => each.name === name);
if (attack === undefined) throw new Error(`There is no attack ${name}`);
// Whoever is on the same machine as the service could keep it from its processors; that is no attack by a client.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const tally = emptyTally();
const wires = makeWires(target.host, target.port, tally);
const over = Promise.withResolvers<void>();
const sleepers = new Set<() => void>();
let isOver = false;
const leave = (): void => {
  isOver = true;
  wires.closeAll();
  for (const wake of sleepers) wake();
  over.resolve();
};
process.once("SIGTERM", leave);
// The one who asked for it may be gone.
setTimeout(leave, Number(seconds) * 1_000);

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      sleepers.delete(wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    sleepers.add(wake);
  });

process.stdout.write("ready\n");
const running = attack.run({
  target,
  wires,
  some: (count) => Math.max(1, Math.round(count * target.share)),
  isOver: () => isOver,
  pause,
});
await Promise.race([running, over.promise]);
process.stdout.write(`${JSON.stringify(tally)}\n`, () => process.exit(0));
