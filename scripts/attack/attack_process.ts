import { constants, setPriority } from "node:os";

import type { Target } from "./attack.ts";
import { ATTACKS } from "./attacks/all.ts";
import { emptyTally, makeWires } from "./wire.ts";

/**
 * Runs an attack in its own process, so that its work does not count for the service. Arguments: the name of the attack
 * and the most seconds that it runs. `ATTACK_TARGET` holds the target as JSON. Ends on SIGTERM, and prints its tally as
 * JSON.
 */
const [name = "", seconds = "0"] = process.argv.slice(2);
const target = JSON.parse(process.env["ATTACK_TARGET"] ?? "") as Target;
const attack = ATTACKS.find((each) => each.name === name);
if (attack === undefined) throw new Error(`Unknown attack ${name}`);
// A real attacker does not compete for the processors of the service.
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
// Its parent may be gone.
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
