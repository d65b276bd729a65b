import type { ReactNode } from "react";
import { t } from "../strings";
import { Fault } from "./Form";

/** A page with one question on it. */
export function Sheet({ title, fault = null, children }: { title: string; fault?: string | null; children: ReactNode }) {
  return (
    <main className="sheet">
      <p className="brand">{t.product}</p>
      <h1>{title}</h1>
      <Fault text={fault} />
      {children}
    </main>
  );
}
