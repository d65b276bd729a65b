import { useState } from "react";
import type { LogRecord } from "../api/types";
import { t } from "../strings";
import { Icon } from "./Icon";
import { later } from "./later";

const Proof = later(() => import("./Proof").then((file) => file.Proof), { meanwhile: <p className="muted">{t.proof.loading}</p> });

/** Folded until somebody asks: a proof reads a whole batch, and is a line in the audit trail. */
export function ProofSection({ record }: { record: LogRecord }) {
  const [open, setOpen] = useState(false);
  return (
    <section className="panel-section" aria-label={t.proof.title}>
      <div className="section-head">
        <h2>
          <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>
            <Icon name={open ? "down" : "right"} /> {t.proof.title}
          </button>
        </h2>
      </div>
      {open && <Proof record={record} />}
    </section>
  );
}
