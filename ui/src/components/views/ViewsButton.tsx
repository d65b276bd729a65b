import { useState } from "react";
import { useSession } from "../../api/session";
import { t } from "../../strings";
import { IconButton } from "../Icon";
import { later } from "../later";

const ViewsDialog = later(() => import("./ViewsDialog").then((file) => file.ViewsDialog));

/** The way to what others have saved; the key of it presses this button, too. */
export function ViewsButton() {
  const { data } = useSession();
  const [open, setOpen] = useState(false);
  if (!data?.may.includes("list_views")) return null;
  return (
    <>
      <IconButton name="bookmark" label={t.views.open} className="views-button" onClick={() => setOpen(true)} />
      {open && <ViewsDialog may={data.may} onClose={() => setOpen(false)} />}
    </>
  );
}
