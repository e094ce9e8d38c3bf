"""Pure decisions about requests: `submit` (may it be asked?), `progress` (what came of it), `acts` (cancel, try again,
delete); the rules that `submit` rests on have a file each."""
