import type { Figure } from "./report.ts";

export interface CaseOptions {
  /** How often each figure is measured. */
  readonly runs: number;
  /** A share of the events that the case asks for. */
  readonly scale: number;
  /** Tells whoever waits how far a case is. */
  readonly say: (line: string) => void;
}

/** Something to measure, against its reference where it has one. */
export interface Case {
  readonly name: string;
  readonly about: string;
  readonly run: (options: CaseOptions) => Promise<Figure[]>;
}
