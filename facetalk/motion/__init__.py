"""Operations on a motion: loading heads, retargeting, posing and rendering."""
