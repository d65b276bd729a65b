import { useState } from "react";
import type { View } from "../../lib/url";
import { t } from "../../strings";
import { IconButton } from "../Icon";
import { later } from "../later";

const ExportDialog = later(() => import("./ExportDialog").then((file) => file.ExportDialog));

interface Props {
  view: View;
  range: { fromNs: bigint; toNs: bigint };
  /** Records that match, once they are counted. */
  total: number | undefined;
}

/** The way to a file of what is searched for; the key of it presses this button, too. */
export function ExportButton(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <IconButton name="save" label={t.exporting.open} className="export-button" onClick={() => setOpen(true)} />
      {open && <ExportDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}
